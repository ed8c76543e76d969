#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the demo shows: sentences, a bar that fills with lines appearing under it, a table. Without
// a terminal it is plain lines, and the bar a line now and then.
namespace assent::live {

class Screen {
 public:
  Screen();

  void heading(std::string_view text);
  void say(std::string_view text);
  void success(std::string_view text);
  void failure(std::string_view text);

  // Between begin_bar and end_bar only the bar's own verbs.
  void begin_bar(std::uint64_t total);
  void bar(std::uint64_t done);
  void under_bar(std::string_view text);
  void end_bar();

  void table(const std::vector<std::pair<std::string, std::string>>& rows);

 private:
  void line(std::string_view text);
  void draw_bar();
  std::string bar_text() const;
  std::string styled(std::string_view style, std::string_view text) const;
  void flush();

  const bool terminal_;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t tenths_told_ = 0;  // without a terminal
  int lines_under_bar_ = 0;
};

// 12,345
std::string with_commas(std::int64_t number);

}  // namespace assent::live
