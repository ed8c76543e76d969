#pragma once

// Ctrl-C and its kin, noticed between the steps of a program so that it can tidy up.
namespace assent::live {

struct Interrupted {
  int signal = 0;
};

// From now on SIGINT, SIGTERM and SIGHUP are only remembered. A reader of our output who goes away
// counts as SIGPIPE.
void remember_interrupts();

// Throws Interrupted when one was remembered.
void check_interrupted();

// As if this signal had come.
void note_interrupt(int signal);

}  // namespace assent::live
