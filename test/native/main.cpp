// Runs every TEST: native_tests [name filter] [share] [shares]. With shares, every process runs another share of them.
// Exit code 1 if one failed or no name contains the filter.
#include "harness.h"

#include <exception>
#include <string>

static bool passes(const harness::Test & test) {
    harness::failures = 0;
    try {
        test.run();
    } catch (const std::exception & error) {
        harness::fail(test.name, 0, std::string("threw ") + error.what());
    }
    return harness::failures == 0;
}

int main(int argc, char ** argv) {
    const std::string filter = argc > 1 ? argv[1] : "";
    const int share = argc > 3 ? std::stoi(argv[2]) : 0;
    const int shares = argc > 3 ? std::stoi(argv[3]) : 1;
    int found = 0;
    int passed = 0;
    int failed = 0;
    for (const auto & test : harness::tests()) {
        if (std::string(test.name).find(filter) == std::string::npos || found++ % shares != share) continue;
        const bool ok = passes(test);
        ++(ok ? passed : failed);
        std::cout << (ok ? "ok   " : "FAIL ") << test.name << std::endl;
    }
    std::cout << passed << " passed, " << failed << " failed" << std::endl;
    return failed == 0 && found > 0 ? 0 : 1;
}
