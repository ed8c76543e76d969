#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace assent {

/// Suspends the coroutine until the callback that `start` is given has been called: once, and not
/// from within `start`.
template <typename T, typename Start>
boost::asio::awaitable<T> await_callback(Start start) {
  auto initiate = [start = std::move(start)](auto handler) mutable {
    auto held = std::make_shared<decltype(handler)>(std::move(handler));
    start(std::function<void(T)>([held](T value) { std::move (*held)(std::move(value)); }));
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(T)>(
      std::move(initiate), boost::asio::use_awaitable);
}

}  // namespace assent
