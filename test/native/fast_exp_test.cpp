// Checks fast_exp against std::exp over the whole range that a row of logits can need, and at its edges.
#include "sampling/fast_exp.h"

#include <cmath>
#include <limits>

#include "harness.h"

namespace {

using thinktree::fast_exp;

TEST(fast_exp_is_within_3_ulp_of_exp) {
    double worst = 0;
    for (int i = 0; i <= 870000; ++i) {
        const float x = -static_cast<float>(i) * 1e-4f;
        const double exact = std::exp(static_cast<double>(x));
        worst = std::max(worst, std::abs(static_cast<double>(fast_exp(x)) - exact) / exact);
    }
    CHECK(worst < 3.6e-7);  // an ulp is at most 1.2e-7
    CHECK_EQ(fast_exp(0.0f), 1.0f);
}

TEST(fast_exp_never_exceeds_one_and_rises) {
    float before = 0;
    for (int i = 870000; i >= 0; --i) {
        const float y = fast_exp(-static_cast<float>(i) * 1e-4f);
        CHECK(y <= 1.0f);
        if (y < before * (1 - 2.4e-7f)) CHECK(y >= before);
        before = y;
    }
}

TEST(fast_exp_of_hopeless_logits_is_nothing_but_not_zero) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float x : {-87.0f, -88.0f, -1000.0f, -3e38f, -infinity}) {
        CHECK(fast_exp(x) > 0.0f);
        CHECK(fast_exp(x) < 1e-37f);
    }
    CHECK(std::isnan(fast_exp(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
