// Checks the sampler on rows and options that no sound model or caller gives: it must answer, never with a token of
// no probability, and say so when the row is broken.
#include <cmath>
#include <limits>
#include <random>

#include "harness.h"
#include "sampling/sampler.h"

namespace {

using namespace thinktree;
using Row = std::vector<float>;
constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

const std::vector<SamplerOptions> all_options = {
    {0.0f, 0, 1.0f, 0.0f}, {1.0f, 0, 1.0f, 0.0f},  {0.7f, 0, 1.0f, 0.0f}, {1.0f, 2, 1.0f, 0.0f},
    {0.7f, 0, 0.9f, 0.0f}, {0.7f, 0, 1.0f, 0.05f}, {0.7f, 3, 0.5f, 0.1f},
};

TEST(broken_rows_give_no_token) {
    for (const size_t n : {1u, 3u, 16u, 40u, 2000u}) {
        for (const size_t at : {size_t{0}, n / 2, n - 1}) {
            for (const float bad : {not_a_number, inf}) {
                Row row(n, 1.0f);
                row[at] = bad;
                for (const SamplerOptions & options : all_options) {
                    CHECK_EQ(Sampler().sample(row, options, 0.5).token, -1);
                }
                CHECK(std::isnan(log_probability(row, 0)));
            }
        }
        const Row masked(n, -inf);
        for (const SamplerOptions & options : all_options) CHECK_EQ(Sampler().sample(masked, options, 0.5).token, -1);
        CHECK(std::isnan(log_probability(masked, 0)));
    }
}

// The largest uniform there is leaves nothing but rounding after the last token with a share.
TEST(the_ends_of_the_unit_interval_draw_tokens_that_have_a_share) {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<float> uniform(-6, 6);
    Sampler sampler;
    for (int round = 0; round < 4000; ++round) {
        Row row(20 + random() % 40, -inf);
        if (round % 20 == 0) row.resize(4000, -inf);
        const size_t sound = 3 + random() % 12;
        for (size_t i = 0; i < sound; ++i) row[round % 20 == 0 ? i * 170 : i] = uniform(random);
        for (const SamplerOptions & options : all_options) {
            for (const double u : {0x1p-53, 1 - 0x1p-53}) {
                const Token token = sampler.sample(row, options, u).token;
                if (token < 0 || !std::isfinite(row[static_cast<size_t>(token)])) {
                    return harness::fail(__FILE__, __LINE__, "a masked token in round " + std::to_string(round));
                }
            }
        }
    }
}

// A uniform that falls exactly between two blocks must not land in the masked one between them.
TEST(a_masked_stretch_is_never_drawn_from) {
    Row row(3000, -inf);
    row[0] = row[2999] = 1.0f;
    for (const float temperature : {1.0f, 0.5f}) {
        CHECK_EQ(Sampler().sample(row, {temperature, 0, 1.0f, 0.0f}, 0.5).token, 2999);
        CHECK_EQ(Sampler().sample(row, {temperature, 0, 1.0f, 0.0f}, 0.5 - 0x1p-50).token, 0);
    }
}

TEST(a_lone_token_is_drawn_wherever_it_stands) {
    for (const size_t n : {1u, 33u, 1024u, 1025u, 4100u}) {
        for (const size_t at : {size_t{0}, n / 2, n - 1}) {
            Row row(n, -inf);
            row[at] = -3.0f;
            for (const SamplerOptions & options : all_options) {
                for (const double u : {0x1p-53, 0.5, 1 - 0x1p-53}) {
                    const Sample sample = Sampler().sample(row, options, u);
                    CHECK_EQ(sample.token, static_cast<Token>(at));
                    CHECK(std::abs(sample.log_probability) < 1e-5f);
                }
            }
        }
    }
}

TEST(options_out_of_range_keep_at_least_the_largest) {
    const Row row = {1, 2, 9, 3, -inf};
    const float tiny = std::numeric_limits<float>::denorm_min();
    for (const SamplerOptions & options : {SamplerOptions{1.0f, 0, 1.0f, 1.5f}, SamplerOptions{1.0f, 0, 0.0f, 0.0f},
                                           SamplerOptions{1.0f, 0, -1.0f, 0.0f}, SamplerOptions{1.0f, 2, 1.0f, 100.0f},
                                           SamplerOptions{tiny, 0, 1.0f, 0.0f}, SamplerOptions{tiny, 3, 1.0f, 0.0f},
                                           SamplerOptions{1e-38f, 0, 1.0f, 0.0f}, SamplerOptions{1.0f, 0, 1.0f, inf}}) {
        for (const double u : {0x1p-53, 0.5, 1 - 0x1p-53}) CHECK_EQ(Sampler().sample(row, options, u).token, 2);
    }
    for (const SamplerOptions & options :
         {SamplerOptions{not_a_number, 0, 1.0f, 0.0f}, SamplerOptions{1.0f, 0, not_a_number, 0.0f},
          SamplerOptions{1.0f, 0, 1.0f, not_a_number}, SamplerOptions{1.0f, -5, 7.0f, -1.0f},
          SamplerOptions{inf, 0, 1.0f, 0.0f}, SamplerOptions{inf, 4, 1.0f, 0.0f},
          SamplerOptions{1.0f, std::numeric_limits<int32_t>::max(), 1.0f, 0.0f}}) {
        for (const double u : {0x1p-53, 0.5, 1 - 0x1p-53}) {
            const Token token = Sampler().sample(row, options, u).token;
            CHECK(token >= 0 && token < 4);
        }
    }
}

}  // namespace
