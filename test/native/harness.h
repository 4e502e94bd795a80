// A test harness in one page: TEST(name) { CHECK(...); CHECK_EQ(actual, expected); }
// What is about the fakes' usual kind of memory alone is a TEST_OF_CELLS; all others hold for either (states_test.cpp).
// A failed check reports its line and the test goes on, so one run shows all that is wrong.
// CHECK may be called from any thread; tests themselves run one after another (main.cpp).
#pragma once

#include <atomic>
#include <iostream>
#include <sstream>
#include <vector>

namespace harness {

struct Test {
    const char * name;
    void (*run)();
    bool of_cells;  // holds for memory that can be shared and taken back cell by cell, and for no other
};

inline std::vector<Test> & tests() {
    static std::vector<Test> all;
    return all;
}

inline std::atomic<int> failures{0};  // of the test that is running

struct Registration {
    Registration(const char * name, void (*run)(), bool of_cells) { tests().push_back({name, run, of_cells}); }
};

inline void fail(const char * file, int line, const std::string & what) {
    ++failures;
    std::ostringstream message;  // one write, so that threads do not interleave
    message << "    " << file << ":" << line << ": " << what << "\n";
    std::cout << message.str();
}

#if defined(__SANITIZE_THREAD__)
constexpr bool watches_threads = true;
#else
constexpr bool watches_threads = false;
#endif

// Of a random test: fewer where a sanitizer makes each slower, thirty times (threads) or five. All are run without one.
constexpr int rounds(int usual) {
#if defined(__SANITIZE_ADDRESS__)
    return usual / 12;
#else
    return watches_threads ? usual / 20 : usual;
#endif
}

template <class Actual, class Expected>
void check_eq(const Actual & actual, const Expected & expected, const char * text, const char * file, int line) {
    if (actual == expected) return;
    std::ostringstream what;
    what << text << " is " << actual << ", expected " << expected;
    fail(file, line, what.str());
}

}  // namespace harness

#define TEST_WHICH(name, of_cells)                                                        \
    static void test_##name();                                                            \
    static const harness::Registration registration_##name(#name, test_##name, of_cells); \
    static void test_##name()
#define TEST(name) TEST_WHICH(name, false)
#define TEST_OF_CELLS(name) TEST_WHICH(name, true)
#define CHECK(expression)                                                  \
    do {                                                                   \
        if (!(expression)) harness::fail(__FILE__, __LINE__, #expression); \
    } while (false)
#define CHECK_EQ(actual, expected) harness::check_eq((actual), (expected), #actual, __FILE__, __LINE__)
