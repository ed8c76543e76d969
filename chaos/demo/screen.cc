#include "chaos/demo/screen.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "chaos/sandbox/interrupt.h"

namespace assent::live {
namespace {

constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kGreen = "\033[1;32m";
constexpr std::string_view kRed = "\033[1;31m";
constexpr std::string_view kPlain = "\033[0m";
constexpr std::uint64_t kBarWidth = 40;

}  // namespace

Screen::Screen() : terminal_(::isatty(STDOUT_FILENO) == 1) {}

void Screen::heading(std::string_view text) {
  line("");
  line(styled(kBold, text));
}

void Screen::say(std::string_view text) {
  line(fmt::format("   {}", text));
}

void Screen::success(std::string_view text) {
  line(fmt::format("   {}", styled(kGreen, text)));
}

void Screen::failure(std::string_view text) {
  line(fmt::format("   {}", styled(kRed, text)));
}

void Screen::begin_bar(std::uint64_t total) {
  total_ = total;
  done_ = 0;
  tenths_told_ = 0;
  lines_under_bar_ = 0;
  if (terminal_) line(bar_text());
}

void Screen::bar(std::uint64_t done) {
  done_ = done;
  if (terminal_) {
    draw_bar();
  } else if (const std::uint64_t tenths = done_ * 10 / total_; tenths > tenths_told_) {
    tenths_told_ = tenths;
    line(bar_text());
  }
}

void Screen::under_bar(std::string_view text) {
  say(text);
  ++lines_under_bar_;
}

void Screen::end_bar() {
  lines_under_bar_ = 0;
}

void Screen::table(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t left = 0;
  std::size_t right = 0;
  for (const auto& [name, value] : rows) {
    left = std::max(left, name.size());
    right = std::max(right, value.size());
  }
  for (const auto& [name, value] : rows)
    say(fmt::format("{:<{}}   {:>{}}", name, left, value, right));
}

void Screen::line(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  flush();
}

// The cursor stands below the lines under the bar: up, write over the bar, down again.
void Screen::draw_bar() {
  const int up = lines_under_bar_ + 1;
  fmt::print("\033[{}A\r{}\033[K\033[{}B\r", up, bar_text(), up);
  flush();
}

std::string Screen::bar_text() const {
  const std::uint64_t filled = total_ == 0 ? kBarWidth : done_ * kBarWidth / total_;
  return fmt::format("   [{}{}] {:>3} %  {} of {} payments", std::string(filled, '#'),
                     std::string(kBarWidth - filled, '.'), total_ == 0 ? 100 : done_ * 100 / total_,
                     with_commas(static_cast<std::int64_t>(done_)),
                     with_commas(static_cast<std::int64_t>(total_)));
}

std::string Screen::styled(std::string_view style, std::string_view text) const {
  return terminal_ ? fmt::format("{}{}{}", style, text, kPlain) : std::string(text);
}

void Screen::flush() {
  if (std::fflush(stdout) != 0) note_interrupt(SIGPIPE);
}

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number < 0 ? -number : number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return number < 0 ? "-" + digits : digits;
}

}  // namespace assent::live
