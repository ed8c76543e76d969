#include "coordinator/tools/json_parts.h"

#include <chrono>

namespace assent::tools {
namespace {

namespace json = boost::json;

std::string_view word_of(Effect effect) {
  switch (effect) {
    case Effect::kNone:
      return "none";
    case Effect::kDone:
      return "done";
    case Effect::kUnknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace

json::string text(std::string_view from) {
  return json::string(from.data(), from.size());
}

std::int64_t ms(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

json::array texts(const std::vector<std::string>& items) {
  return array_of(items, [](const std::string& item) { return text(item); });
}

json::object object_of(const Error& error) {
  json::object made;
  made["code"] = text(to_string(error.code));
  made["effect"] = text(word_of(error.effect));
  made["message"] = text(error.message);
  if (!error.participant.empty()) made["participant"] = text(error.participant);
  if (!error.sqlstate.empty()) made["sqlstate"] = text(error.sqlstate);
  if (error.native != 0) made["native"] = error.native;
  if (error.step >= 0) made["step"] = error.step;
  return made;
}

json::object object_of(const Damage& damage) {
  json::object made;
  made["participant"] = text(damage.participant);
  made["heuristic"] = text(to_string(damage.heuristic));
  made["detail"] = text(damage.detail);
  return made;
}

json::value value_of(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return object_of(*error);
}

json::value value_of(const std::optional<Outcome>& outcome) {
  if (!outcome) return nullptr;
  return text(to_string(*outcome));
}

}  // namespace assent::tools
