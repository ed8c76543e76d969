#include "protocol/channel/turn.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>

namespace assent {
namespace {

using std::chrono::seconds;

TEST_CASE("things of many threads run one at a time, and all of them run") {
  boost::asio::io_context io;
  Turn turn(io);
  constexpr int kThreads = 4;
  constexpr int kThings = 5'000;
  int run = 0;  // no atomic: only whoever has the turn touches it
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < kThings; ++k) {
        turn.run([&] {
          most = std::max(most.load(), ++inside);
          ++run;
          --inside;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  io.run();
  turn.run([&] { CHECK(run == kThreads * kThings); });
  CHECK(most == 1);
}

TEST_CASE("what comes up within a thing runs after it, in its order") {
  boost::asio::io_context io;
  Turn turn(io);
  std::string said;
  turn.run([&] {
    turn.run([&] { said += "b"; });
    turn.run_later([&] { said += "c"; });
    boost::asio::post(turn.executor(), [&] { said += "d"; });
    boost::asio::dispatch(turn.executor(), [&] { said += "e"; });
    said += "a";
  });
  CHECK(said == "abcde");
}

TEST_CASE("what is said for later waits for the loop when nobody has the turn") {
  boost::asio::io_context io;
  Turn turn(io);
  std::string said;
  turn.run_later([&] { said += "a"; });
  boost::asio::post(turn.executor(), [&] { said += "b"; });
  turn.run_from_loop([&] { said += "c"; });
  CHECK(said.empty());
  io.run();
  CHECK(said == "abc");
}

TEST_CASE("a handler of Asio's that comes up meanwhile is left to whoever has the turn") {
  boost::asio::io_context io;
  Turn turn(io);
  boost::asio::steady_timer timer(turn.executor(), std::chrono::steady_clock::now());
  std::thread::id handled_by;
  timer.async_wait(
      [&](const boost::system::error_code&) { handled_by = std::this_thread::get_id(); });
  turn.run([&] {
    std::thread loop([&] { io.run(); });
    loop.join();  // it does not wait for the turn
  });
  CHECK(handled_by == std::this_thread::get_id());
}

// A thread of the log that never came back would leave every decision unsynced.
TEST_CASE("a thread comes back from its turn however much comes up meanwhile") {
  boost::asio::io_context io;
  Turn turn(io);
  bool enough = false;  // no atomic: only whoever has the turn touches it
  std::function<void()> again = [&] {
    if (!enough) turn.run([&] { again(); });
  };
  std::thread worker([&] { turn.run([&] { again(); }); });
  worker.join();
  turn.run([&] { enough = true; });  // left to the loop, behind what comes up again and again
  io.run();
  CHECK(enough);
}

TEST_CASE("what was left to the loop is dropped when the turn is closed before") {
  boost::asio::io_context io;
  Turn turn(io);
  int run = 0;
  std::function<void()> again = [&] {
    ++run;
    turn.run([&] { again(); });
  };
  std::thread worker([&] { turn.run([&] { again(); }); });
  worker.join();
  const int before = run;
  turn.close();
  io.run();
  CHECK(run == before);
}

TEST_CASE("a closed turn waits for the one under way and runs nothing more") {
  boost::asio::io_context io;
  Turn turn(io);
  std::promise<void> begun;
  std::promise<void> closing;
  std::string said;
  std::thread worker([&] {
    turn.run([&] {
      begun.set_value();
      closing.get_future().wait();
      // Long enough for a close() that does not wait to come back.
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      turn.run([&] { said += "a"; });
    });
  });
  begun.get_future().wait();
  closing.set_value();
  turn.close();
  const std::string said_when_closed = said;
  worker.join();
  CHECK(said_when_closed == "a");
  turn.run([&] { said += "b"; });
  turn.run_later([&] { said += "c"; });
  turn.run_from_loop([&] { said += "d"; });
  io.run();
  CHECK(said == "a");
}

}  // namespace
}  // namespace assent
