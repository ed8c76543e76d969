#include "protocol/channel/address.h"

#include <charconv>
#include <optional>

#include <boost/asio/ip/address.hpp>

namespace assent {
namespace {

Error not_an_address(std::string_view text, std::string_view why) {
  return {.message = "\"" + std::string(text) + "\" is not an address: " + std::string(why) +
                     ". Write for example 127.0.0.1:7000, localhost:7000 or [::1]:7000."};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, port);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return port;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return not_an_address(text, "the port is missing");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return not_an_address(text, "the port is not a number of 0 to 65535");
  std::string host(text.substr(0, colon));
  if (host == "localhost") return Address{"127.0.0.1", *port};
  const bool in_brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(host, error);
  if (error) return not_an_address(text, "the host is neither an IP address nor localhost");
  if (ip.is_v6() != in_brackets) {
    return not_an_address(text, "IPv6 hosts, and only they, stand in brackets");
  }
  return Address{ip.to_string(), *port};
}

std::string to_string(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

}  // namespace assent
