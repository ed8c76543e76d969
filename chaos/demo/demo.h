#pragma once

#include "chaos/sandbox/database_server.h"

// The card story, in front of the reader's eyes: ./run demo.
namespace assent::live {

struct DemoOptions {
  DatabaseKind points = DatabaseKind::kPostgres;
  DatabaseKind payments = DatabaseKind::kMariadb;
  int payments_count = 2'000;
  int clients = 8;
};

// Starts a private sandbox, tells the story, and leaves nothing behind however it ends. True: the
// checker found nothing, no payment was refused to the end and no part crashed. Throws SandboxError
// when something cannot be started, Interrupted after Ctrl-C.
bool run_demo(const DemoOptions& options);

}  // namespace assent::live
