// Owns: random trees, their plans, queries, keys and values, and what attention to them is, in double precision.
// Must not know: how it is computed on a device. Thread: any.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "half.h"
#include "kernels/cuda/tree_work.h"

namespace thinktree {

struct Shape {
    int head_size, heads, kv_heads;
    float softcap = 0.0f;
    bool sinks = false;
};

// Of a forest: every node has `fan` children down to `depth`; its leaves are branches.
struct Forest {
    int roots = 1, depth = 1, fan = 4;
    bool comb = false;  // all children but one are leaves
    int cells_of_root = 100;
    int cells_at_most = 40;         // of any other node
    int rows_of_leaf = 1;           // more: a prompt that is read in, so each row sees one cell more
    bool rows_within_root = false;  // each sees one of a few leading parts of its root alone
};

class AttentionCase {
public:
    AttentionCase(const Shape & shape, const Forest & forest, uint32_t seed)
        : shape(shape), forest_(forest), random_(seed) {
        for (int i = 0; i < forest.roots; ++i) grow(0, 0);
        // A cache has cells that nobody sees, and no order.
        positions_.resize(positions_.size() + 32, -1);
        sequences_.resize(positions_.size());
        shuffle_cells();
        shuffle_rows();
        rows = static_cast<int>(rows_.size());
        cells = static_cast<int>(positions_.size());
        write_plan();
        fill();
    }

    // By batch row, head, dimension.
    std::vector<double> reference() const {
        const auto d = static_cast<size_t>(shape.head_size);
        std::vector<double> out;
        for (int row = 0; row < rows; ++row) {
            for (int head = 0; head < shape.heads; ++head) {
                const float * query = &q[static_cast<size_t>(row * shape.heads + head) * d];
                const int kv_head = head / (shape.heads / shape.kv_heads);
                std::vector<double> sum(d, 0.0);
                double total = shape.sinks ? std::exp(static_cast<double>(sinks[static_cast<size_t>(head)])) : 0.0;
                for (int cell = 0; cell < cells; ++cell) {
                    if (!sees(row, cell)) continue;
                    const size_t at = static_cast<size_t>(cell * shape.kv_heads + kv_head) * d;
                    double score = 0;
                    for (size_t i = 0; i < d; ++i) {
                        score += static_cast<double>(query[i]) * static_cast<double>(float_of_half(k[at + i]));
                    }
                    score *= static_cast<double>(scale());
                    if (shape.softcap != 0.0f) {
                        const auto cap = static_cast<double>(shape.softcap);
                        score = cap * std::tanh(score / cap);
                    }
                    const double weight = std::exp(score);
                    total += weight;
                    for (size_t i = 0; i < d; ++i) sum[i] += weight * static_cast<double>(float_of_half(v[at + i]));
                }
                for (const double x : sum) out.push_back(total > 0 ? x / total : 0);
            }
        }
        return out;
    }

    // The largest relative error of a row and head; 1e30 where a number is none.
    double error_of(const std::vector<float> & out) const {
        const std::vector<double> expected = reference();
        const auto d = static_cast<size_t>(shape.head_size);
        double most = 0;
        for (size_t begin = 0; begin < expected.size(); begin += d) {
            double off = 0, size = 0;
            for (size_t i = begin; i < begin + d; ++i) {
                if (!std::isfinite(out[i])) return 1e30;
                off += std::pow(static_cast<double>(out[i]) - expected[i], 2);
                size += std::pow(expected[i], 2);
            }
            most = std::max(most, std::sqrt(off / (size + 1e-30)));
        }
        return most;
    }

    // A power of two, so that scaled queries are exact in half precision.
    float scale() const { return 0.125f; }

    Shape shape;
    int rows = 0, cells = 0;
    std::vector<int32_t> plan;  // with its work
    std::vector<float> q, sinks;
    std::vector<uint16_t> k, v;  // half precision

private:
    int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

    bool sees(int row, int cell) const {
        const PlanRow & r = rows_[static_cast<size_t>(row)];
        const auto c = static_cast<size_t>(cell);
        return sequences_[c].test(static_cast<size_t>(r.sequence)) && positions_[c] <= r.position;
    }

    // Makes a node whose first cell is at `position`, and all below it; returns the sequences that go through it.
    Sequences grow(int depth, int position) {
        const bool leaf = depth == forest_.depth;
        int n = depth == 0 ? forest_.cells_of_root : between(1, forest_.cells_at_most);
        if (leaf) n = std::max(n, forest_.rows_of_leaf);
        const size_t first = positions_.size();
        for (int i = 0; i < n; ++i) positions_.push_back(position + i);
        sequences_.resize(positions_.size());
        Sequences below;
        if (leaf) {
            const int last = position + n - 1, root_end = forest_.cells_of_root - 1;
            for (int row = 0; row < forest_.rows_of_leaf; ++row) {
                const int at = forest_.rows_within_root ? root_end - between(0, std::min(root_end, 4))
                                                        : last - forest_.rows_of_leaf + row + 1;
                rows_.push_back({sequences_in_use_, at});
            }
            below.set(static_cast<size_t>(sequences_in_use_++));
        } else {
            for (int child = 0; child < forest_.fan; ++child) {
                below |= grow(forest_.comb && child > 0 ? forest_.depth : depth + 1, position + n);
            }
        }
        std::fill_n(sequences_.begin() + static_cast<std::ptrdiff_t>(first), n, below);
        return below;
    }

    void shuffle_cells() {
        std::vector<size_t> place(positions_.size());
        std::iota(place.begin(), place.end(), size_t{0});
        std::shuffle(place.begin(), place.end(), random_);
        const auto positions = positions_;
        const auto sequences = sequences_;
        for (size_t i = 0; i < place.size(); ++i) {
            positions_[place[i]] = positions[i];
            sequences_[place[i]] = sequences[i];
        }
    }

    // A batch may mix sequences, but each one's tokens are in order.
    void shuffle_rows() {
        std::vector<PlanRow> mixed = rows_;
        std::shuffle(mixed.begin(), mixed.end(), random_);
        std::vector<std::vector<PlanRow>> left(static_cast<size_t>(sequences_in_use_));
        for (auto row = rows_.rbegin(); row != rows_.rend(); ++row)
            left[static_cast<size_t>(row->sequence)].push_back(*row);
        for (PlanRow & row : mixed) {
            auto & of_sequence = left[static_cast<size_t>(row.sequence)];
            row = of_sequence.back();
            of_sequence.pop_back();
        }
        rows_ = mixed;
    }

    void write_plan() {
        const int64_t capacity = plan_words(rows, cells) + work_words(rows, cells);
        plan.assign(static_cast<size_t>(capacity), -1);
        TreePlanner().plan(positions_.data(), sequences_.data(), cells, rows_, plan.data(), capacity);
        TreeWork::append(plan.data(), capacity, shape.heads / shape.kv_heads, shape.kv_heads);
    }

    void fill() {
        const auto d = static_cast<size_t>(shape.head_size);
        const auto number = [&] { return static_cast<float>(between(-96, 96)) / 32.0f; };
        q.resize(static_cast<size_t>(rows * shape.heads) * d);
        k.resize(static_cast<size_t>(cells * shape.kv_heads) * d);
        v.resize(k.size());
        sinks.resize(static_cast<size_t>(shape.heads));
        for (float & x : q) x = number() / 4.0f;
        for (uint16_t & x : k) x = half_of_float(number());
        for (uint16_t & x : v) x = half_of_float(number());
        for (float & x : sinks) x = number();
    }

    Forest forest_;
    std::mt19937 random_;
    int sequences_in_use_ = 0;
    std::vector<int32_t> positions_;    // of cells
    std::vector<Sequences> sequences_;  // of cells
    std::vector<PlanRow> rows_;
};

}  // namespace thinktree
