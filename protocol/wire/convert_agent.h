#pragma once

#include "protocol/message/agent.h"
#include "protocol/wire/convert_place.h"

/// Part of convert: the messages between coordinator and agent.

namespace assent::v1 {
class AgentReply;
class AgentRequest;
class Hello;
class Refused;
class Welcome;
}  // namespace assent::v1

namespace assent::wire {

void put(const Hello& from, v1::Hello& to);
void put(const AgentRequest& from, v1::AgentRequest& to);
void put(const Welcome& from, v1::Welcome& to);
void put(const Refused& from, v1::Refused& to);
void put(const AgentReply& from, v1::AgentReply& to);

Hello take(const v1::Hello& from, const Place& here);
AgentRequest take(v1::AgentRequest& from, const Place& here);
Welcome take(const v1::Welcome& from, const Place& here);
Refused take(const v1::Refused& from, const Place& here);
AgentReply take(v1::AgentReply& from, const Place& here);

}  // namespace assent::wire
