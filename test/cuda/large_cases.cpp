// What is too large for an emulation: shapes of real models, many rows of a whole vocabulary.
#include "../native/harness.h"
#include "runner.h"
#include "sampling/sampler.h"

using namespace thinktree;

TEST(large_trees) {
    for (const Shape & shape : {Shape{64, 14, 2}, Shape{128, 12, 2}, Shape{128, 28, 4}}) {
        for (const int branches : {1, 16, 64, 256}) {
            Forest forest;
            forest.fan = branches;
            forest.cells_of_root = 512;
            forest.cells_at_most = 256;
            const AttentionCase c(shape, forest, 1);
            const double error = c.error_of(runner::attend(c, 0));
            if (!(error < 2e-3)) std::cout << "    relative error " << error << " with " << branches << " branches\n";
            CHECK(error < 2e-3);
        }
    }
}

TEST(large_vocabularies) {
    constexpr int entries = 151936, count = 64;
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.0f, 3.0f);
    runner::Rows rows{std::vector<float>(static_cast<size_t>(entries) * count), entries};
    for (float & x : rows.logits) x = normal(random);
    for (const SamplerOptions & options : {SamplerOptions{1.0f, 0, 1.0f, 0.0f}, SamplerOptions{0.8f, 40, 0.95f, 0.05f},
                                           SamplerOptions{0.8f, 0, 0.95f, 0.0f}}) {
        std::vector<DrawOfRow> draws;
        for (int i = 0; i < 8 * count; ++i) {
            draws.push_back(
                {(i / count + 0.37) / 8, i % count, options.top_k, options.temperature, options.top_p, options.min_p});
        }
        const std::vector<Drawn> drawn = runner::draw(rows, draws, 0);
        Sampler sampler;
        int different = 0;
        for (size_t i = 0; i < draws.size(); ++i) {
            const auto row = std::span(rows.logits).subspan(static_cast<size_t>(draws[i].row) * entries, entries);
            different += sampler.sample(row, options, draws[i].uniform).token != drawn[i].token;
        }
        std::cout << "    " << different << " of " << draws.size() << " tokens differ\n";
        CHECK(different <= 5);  // a uniform that lies between two tokens but for rounding
    }
}
