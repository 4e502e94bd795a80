#include "harness.h"

#include <string>
#include <thread>

TEST(harness_checks_hold_from_other_threads) {
    std::thread([] { CHECK_EQ(std::string("thinktree").size(), 9U); }).join();
}
