#pragma once

#include "protocol/message/admin.h"
#include "protocol/wire/convert_place.h"

/// Part of convert: what people in trouble ask and are told. BranchSight and ForeignBranch come
/// from agents.

namespace assent::v1 {
class ActionTold;
class Allow;
class BackUpLog;
class BranchSight;
class CoordinatorStatus;
class Damage;
class ForeignBranch;
class ForgetDamage;
class InDoubtList;
class ListInDoubt;
class ResolveTransaction;
class StoryTold;
class TellStory;
}  // namespace assent::v1

namespace assent::wire {

void put(const BranchSight& from, v1::BranchSight& to);
void put(const ForeignBranch& from, v1::ForeignBranch& to);
void put(const Damage& from, v1::Damage& to);
void put(const ListInDoubt& from, v1::ListInDoubt& to);
void put(const TellStory& from, v1::TellStory& to);
void put(const ResolveTransaction& from, v1::ResolveTransaction& to);
void put(const ForgetDamage& from, v1::ForgetDamage& to);
void put(const Allow& from, v1::Allow& to);
void put(const InDoubtList& from, v1::InDoubtList& to);
void put(const StoryTold& from, v1::StoryTold& to);
void put(const ActionTold& from, v1::ActionTold& to);
void put(const CoordinatorStatus& from, v1::CoordinatorStatus& to);

BranchSight take(const v1::BranchSight& from, const Place& here);
ForeignBranch take(const v1::ForeignBranch& from, const Place& here);
Damage take(const v1::Damage& from, const Place& here);
ListInDoubt take(const v1::ListInDoubt& from, const Place& here);
TellStory take(const v1::TellStory& from, const Place& here);
ResolveTransaction take(const v1::ResolveTransaction& from, const Place& here);
ForgetDamage take(const v1::ForgetDamage& from, const Place& here);
Allow take(const v1::Allow& from, const Place& here);
BackUpLog take(const v1::BackUpLog& from, const Place& here);
InDoubtList take(const v1::InDoubtList& from, const Place& here);
StoryTold take(const v1::StoryTold& from, const Place& here);
ActionTold take(const v1::ActionTold& from, const Place& here);
CoordinatorStatus take(const v1::CoordinatorStatus& from, const Place& here);

}  // namespace assent::wire
