#pragma once

#include <semaphore.h>

#include <cerrno>

namespace assent {

/// Wakes one thread that waits for work: a counting semaphore of POSIX. A hand-over with a
/// condition variable costs twice the system calls (its mutex is unlocked as if somebody waited for
/// it), and the standard library's semaphore yields the processor before it sleeps. Any thread.
class Wake {
 public:
  Wake() { sem_init(&semaphore_, 0, 0); }
  ~Wake() { sem_destroy(&semaphore_); }
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  /// What was written before it is seen after the wait() that it ends.
  void post() { sem_post(&semaphore_); }
  /// Returns once for each post().
  void wait() {
    while (sem_wait(&semaphore_) != 0 && errno == EINTR) {
    }
  }

 private:
  sem_t semaphore_;
};

}  // namespace assent
