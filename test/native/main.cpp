// Runs every TEST, or those whose name contains the first argument. Exit code 1 if one failed or none ran.
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
    int passed = 0;
    int failed = 0;
    for (const auto & test : harness::tests()) {
        if (std::string(test.name).find(filter) == std::string::npos) continue;
        const bool ok = passes(test);
        ++(ok ? passed : failed);
        std::cout << (ok ? "ok   " : "FAIL ") << test.name << std::endl;
    }
    std::cout << passed << " passed, " << failed << " failed" << std::endl;
    return failed == 0 && passed > 0 ? 0 : 1;
}
