#include "chaos/sandbox/interrupt.h"

#include <signal.h>

#include <initializer_list>

namespace assent::live {
namespace {

volatile sig_atomic_t remembered = 0;

void remember(int signal) {
  remembered = signal;
}

}  // namespace

void remember_interrupts() {
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

void note_interrupt(int signal) {
  remembered = signal;
}

void check_interrupted() {
  if (remembered != 0) throw Interrupted{static_cast<int>(remembered)};
}

}  // namespace assent::live
