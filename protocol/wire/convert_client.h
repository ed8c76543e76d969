#pragma once

#include "protocol/wire/convert.h"
#include "protocol/wire/convert_place.h"

/// Part of convert: the messages between client and coordinator.

namespace assent::v1 {
class ClientCall;
class ClientCallReply;
class ClientHello;
class ClientWelcome;
}  // namespace assent::v1

namespace assent::wire {

void put(const ClientHello& from, v1::ClientHello& to);
void put(const ClientCall& from, v1::ClientCall& to);
void put(const ClientWelcome& from, v1::ClientWelcome& to);
void put(const ClientCallReply& from, v1::ClientCallReply& to);

ClientHello take(const v1::ClientHello& from, const Place& here);
ClientCall take(v1::ClientCall& from, const Place& here);
ClientWelcome take(const v1::ClientWelcome& from, const Place& here);
ClientCallReply take(v1::ClientCallReply& from, const Place& here);

}  // namespace assent::wire
