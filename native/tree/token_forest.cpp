#include "tree/token_forest.h"

#include <algorithm>

#include "base/error.h"

namespace thinktree {

TokenForest::TokenForest(Context & context)
    : context_(context),
      at_ends_(context.limits().forks_at_ends),
      leases_(static_cast<size_t>(context.limits().sequences)) {
    for (SeqId seq = context.limits().sequences; seq-- > 0;) free_seqs_.push_back(seq);
}

// ---- nodes ----

NodeId TokenForest::allocate(Node node) {
    node.refs = 1;
    if (!node.draft) node.usage->live += static_cast<int64_t>(node.tokens.size());
    node.usage->live_peak = std::max(node.usage->live_peak, node.usage->live);
    if (free_nodes_.empty()) {
        nodes_.push_back(std::move(node));
        return static_cast<NodeId>(nodes_.size() - 1);
    }
    const NodeId id = free_nodes_.back();
    free_nodes_.pop_back();
    nodes_[id] = std::move(node);
    return id;
}

NodeId TokenForest::add_root(std::vector<Token> tokens, TreeUsage & usage) {
    Node node;
    node.tokens = std::move(tokens);
    node.usage = &usage;
    node.given = true;
    return allocate(std::move(node));
}

Node TokenForest::below(NodeId parent, std::vector<Token> tokens) {
    Node node;
    node.parent = parent;
    node.start = nodes_[parent].end();
    node.tokens = std::move(tokens);
    node.usage = nodes_[parent].usage;
    ++nodes_[parent].refs;
    nodes_[parent].stateless += at_ends_;
    return node;
}

NodeId TokenForest::add_child(NodeId parent, std::vector<Token> tokens, bool given) {
    Node node = below(parent, std::move(tokens));
    node.given = given;
    return allocate(std::move(node));
}

NodeId TokenForest::add_draft(NodeId parent, std::vector<Token> tokens) {
    Node node = below(parent, std::move(tokens));
    node.draft = true;
    return allocate(std::move(node));
}

void TokenForest::adopt(NodeId id, NodeId draft_id) {
    Node & node = nodes_[id];
    Node & draft = nodes_[draft_id];
    if (draft.computed == 0) vacate(draft_id);
    if (draft.parent != id) {
        --nodes_[draft.parent].refs;  // `node` has one of its own there
        draft.parent = id;
        ++node.refs;
        node.leases = draft.leases;
    }
    draft.tokens.erase(draft.tokens.begin());
    ++draft.start;
    if (draft.computed == 0) return;
    --draft.computed;
    ++node.computed;
    node.ever_computed = std::max(node.ever_computed, node.computed);
    ++node.usage->adopted;
}

void TokenForest::append(NodeId id, Token token) {
    Node & node = nodes_[id];
    node.tokens.push_back(token);
    node.row = -1;
    node.kept_row = {};  // of somebody who ended there, and has gone
    if (!node.draft) node.usage->live_peak = std::max(node.usage->live_peak, ++node.usage->live);
}

void TokenForest::release(NodeId id) {
    while (id != no_node && --nodes_[id].refs == 0) {
        const NodeId parent = nodes_[id].parent;
        destroy(id);
        id = parent;
    }
}

void TokenForest::destroy(NodeId id) {
    vacate(id);
    Node & node = nodes_[id];
    if (at_ends_ && node.parent != no_node) --nodes_[node.parent].stateless;
    if (!node.draft) node.usage->live -= static_cast<int64_t>(node.tokens.size());
    node = Node{};
    free_nodes_.push_back(id);
}

std::vector<Token> TokenForest::path(NodeId above, NodeId node) const {
    const Pos begin = above == no_node ? 0 : nodes_[above].end();
    std::vector<Token> tokens(static_cast<size_t>(nodes_[node].end() - begin));
    auto end = tokens.end();
    for (; node != above; node = nodes_[node].parent) {
        end -= static_cast<std::ptrdiff_t>(nodes_[node].tokens.size());
        std::copy(nodes_[node].tokens.begin(), nodes_[node].tokens.end(), end);
    }
    return tokens;
}

// ---- leases ----

// `seq` covers `from` and its ancestors, down from but not including `above`.
void TokenForest::cover(NodeId from, NodeId above, SeqId seq) {
    for (NodeId id = from; id != above; id = nodes_[id].parent) {
        const NodeId parent = nodes_[id].parent;
        if (at_ends_ && parent != no_node && nodes_[id].leases.empty()) --nodes_[parent].stateless;
        nodes_[id].leases.insert(seq);
    }
}

void TokenForest::uncover(NodeId from, NodeId above, SeqId seq) {
    for (NodeId id = from; id != above; id = nodes_[id].parent) {
        nodes_[id].leases.erase(seq);
        if (!nodes_[id].leases.empty()) continue;
        const NodeId parent = nodes_[id].parent;
        if (!at_ends_) {
            drop_cells(nodes_[id]);
        } else if (parent != no_node) {
            ++nodes_[parent].stateless;
        }
    }
}

void TokenForest::drop_cells(Node & node) {
    cells_used_ -= node.computed;
    node.usage->cells -= node.computed;
    node.computed = 0;
}

bool TokenForest::is_ancestor(NodeId ancestor, NodeId node) const {
    while (node != no_node && node != ancestor) node = nodes_[node].parent;
    return node == ancestor;
}

// The lease that ends at `id` goes back to the parent if nothing else covers that, claim and all: an operation that is
// over has settled it.
void TokenForest::vacate(NodeId id) {
    const SeqId seq = nodes_[id].lease;
    if (seq == no_seq) return;
    const NodeId parent = nodes_[id].parent;
    if (!at_ends_ && parent != no_node && nodes_[parent].leases.is_only(seq)) {
        retreat(seq, parent);
    } else {
        park(seq);
    }
}

// Moves a lease up its own path; the cells below are given back.
void TokenForest::retreat(SeqId seq, NodeId to) {
    Lease & lease = leases_[static_cast<size_t>(seq)];
    nodes_[lease.node].lease = no_seq;
    uncover(lease.node, to, seq);
    // Not its end: a token that is drawn but not decoded may stand there.
    context_.seq_remove(seq, nodes_[to].start + static_cast<Pos>(nodes_[to].computed));
    lease.node = to;
    if (nodes_[to].speculative) {
        lease.claim = spare;
    } else if (lease.claim == spare) {
        lease.claim = idle;  // a step's own
    }
    nodes_[to].lease = seq;
}

void TokenForest::park(SeqId seq) {
    Lease & lease = leases_[static_cast<size_t>(seq)];
    nodes_[lease.node].lease = no_seq;
    if (at_ends_) nodes_[lease.node].computed = 0;
    uncover(lease.node, no_node, seq);
    context_.seq_remove(seq, 0);
    lease = Lease{};
    free_seqs_.push_back(seq);
}

void TokenForest::settle(NodeId id) {
    for (; id != no_node; id = nodes_[id].parent) {
        if (nodes_[id].lease != no_seq) leases_[static_cast<size_t>(nodes_[id].lease)].claim = idle;
    }
}

bool TokenForest::park_below(NodeId id) {
    if (at_ends_) {
        const SeqId seq = nodes_[id].lease;
        if (nodes_[id].planned || (seq != no_seq && leases_[static_cast<size_t>(seq)].planned)) return false;
        if (seq != no_seq) park(seq);
        return true;
    }
    for (SeqId seq = 0; seq < static_cast<SeqId>(leases_.size()); ++seq) {
        if (leases_[static_cast<size_t>(seq)].planned && nodes_[id].leases.contains(seq)) return false;
    }
    while (!nodes_[id].leases.empty()) park(nodes_[id].leases.any());
    return true;
}

bool TokenForest::goes_before(const Lease & a, const Lease & b) const {
    if (a.claim != b.claim) return a.claim > b.claim;
    if (at_ends_ && is_forked(a.node, no_node) != is_forked(b.node, no_node)) return is_forked(b.node, no_node);
    return a.last_used < b.last_used;
}

// The lease to take from: a spare one, else the longest idle one, else the youngest claim if it is younger than `age`.
// Never one that ends on the path of `node`: its cells are about to be used.
SeqId TokenForest::victim(uint64_t age, NodeId node) const {
    SeqId best = no_seq;
    for (SeqId seq = 0; seq < static_cast<SeqId>(leases_.size()); ++seq) {
        const Lease & lease = leases_[static_cast<size_t>(seq)];
        if (lease.node == no_node || lease.planned || lease.claim <= age) continue;
        if (at_ends_ ? keeps_victim(lease, node) : is_ancestor(lease.node, node)) continue;
        if (best == no_seq || goes_before(lease, leases_[static_cast<size_t>(best)])) best = seq;
    }
    return best;
}

// Frees what `seq` alone holds, but never a cell on the path of `node`: that would have to be computed again at once.
void TokenForest::evict(SeqId seq, NodeId node) {
    if (at_ends_) return park(seq);
    NodeId shared = node;
    while (shared != no_node && !nodes_[shared].leases.contains(seq)) shared = nodes_[shared].parent;
    if (shared != no_node && nodes_[shared].leases.is_only(seq)) {
        retreat(seq, shared);
        leases_[static_cast<size_t>(seq)].claim = nodes_[shared].speculative ? spare : idle;
    } else {
        park(seq);
    }
}

// Takes from whom it may. False: from nobody.
bool TokenForest::make_way(NodeId node, uint64_t age) {
    if (age == spare) return false;
    const SeqId seq = victim(age, node);
    contended_ = contended_ || seq == no_seq || leases_[static_cast<size_t>(seq)].claim < idle;
    if (seq != no_seq) evict(seq, node);
    return seq != no_seq;
}

// Gives `id`, whose parent is computed or computed earlier in this batch, a lease of its own.
bool TokenForest::acquire(NodeId id, uint64_t age, const Batch & batch) {
    if (at_ends_) return acquire_state(id, age, batch);
    const NodeId parent = nodes_[id].parent;
    SeqId seq = parent == no_node ? no_seq : nodes_[parent].lease;
    // The parent is complete and needs no lease of its own: the first child goes on with it. But what is spare may go
    // at any time, and must not take a step's own cells with it.
    if (seq != no_seq && (age < spare || leases_[static_cast<size_t>(seq)].claim == spare)) {
        nodes_[parent].lease = no_seq;
        nodes_[id].leases.insert(seq);
    } else {
        if (seq != no_seq && leases_[static_cast<size_t>(seq)].planned) return false;  // there are no cells to tag yet
        if (free_seqs_.empty()) {
            if (!make_way(id, age)) return false;
            // An eviction that stopped at our parent hands us its lease.
            if (free_seqs_.empty()) return acquire(id, age, batch);
        }
        seq = free_seqs_.back();
        free_seqs_.pop_back();
        if (parent != no_node) context_.seq_copy(nodes_[parent].leases.any(), seq, 0, nodes_[id].start);
        cover(id, no_node, seq);
    }
    leases_[static_cast<size_t>(seq)].node = id;
    leases_[static_cast<size_t>(seq)].claim = nodes_[id].speculative ? spare : idle;
    nodes_[id].lease = seq;
    return true;
}

int TokenForest::leases_held() const { return static_cast<int>(leases_.size() - free_seqs_.size()); }

// ---- batches ----

// How many of `wanted` tokens there is room for, after taking cells from idle and younger leases.
uint32_t TokenForest::make_room(NodeId node, uint32_t wanted, uint64_t age, const Batch & batch) {
    while (free_cells(batch) < wanted) {
        if (!make_way(node, age)) break;
    }
    return static_cast<uint32_t>(std::clamp<int64_t>(free_cells(batch), 0, wanted));
}

int64_t TokenForest::free_cells(const Batch & batch) const {
    return static_cast<int64_t>(context_.limits().cells) - cells_used_ - static_cast<int64_t>(batch.rows.size());
}

uint32_t TokenForest::room(const Batch & batch) const {
    const int64_t rows = static_cast<int64_t>(batch.max_rows) - static_cast<int64_t>(batch.rows.size());
    const int64_t outputs = static_cast<int64_t>(batch.max_outputs) - static_cast<int64_t>(batch.outputs.size());
    return static_cast<uint32_t>(std::max<int64_t>(0, std::min({free_cells(batch), rows, outputs})));
}

NodeId TokenForest::owing_above(NodeId id) const {
    const NodeId parent = nodes_[id].parent;
    // What is begun goes on from where it stands.
    if (parent == no_node || nodes_[id].computed > 0) return no_node;
    return nodes_[parent].computed < nodes_[parent].size() ? parent : no_node;
}

Planned TokenForest::plan(NodeId target, uint32_t upto, uint64_t age, Batch & batch) {
    std::vector<NodeId> owing;
    if (nodes_[target].computed < upto) owing.push_back(target);
    for (NodeId id = owing_above(target); id != no_node; id = owing_above(id)) owing.push_back(id);
    if (owing.empty()) return Planned::nothing_owed;
    // One that another operation computes in this batch has all above it.
    if (std::any_of(owing.begin(), owing.end(), [this](NodeId id) { return nodes_[id].planned; })) return Planned::part;

    for (size_t i = owing.size(); i-- > 0;) {
        const NodeId id = owing[i];
        const uint32_t end = id == target ? upto : nodes_[id].size();
        uint32_t count =
            std::min<uint32_t>(end - nodes_[id].computed, batch.max_rows - static_cast<uint32_t>(batch.rows.size()));
        if (count == 0 || (at_ends_ && must_wait(id, age, batch))) return Planned::part;
        count = make_room(id, count, age, batch);
        if (count == 0 || (nodes_[id].lease == no_seq && !acquire(id, age, batch))) return Planned::no_room;

        if (put(id, nodes_[id].computed + count, age, batch) < end) return Planned::part;
    }
    return Planned::whole;
}

bool TokenForest::plan_draft(NodeId id, Batch & batch) {
    const Node & parent = nodes_[nodes_[id].parent];
    if (parent.row < 0 || parent.lease == no_seq || room(batch) < nodes_[id].size()) return false;
    const uint64_t age = leases_[static_cast<size_t>(parent.lease)].claim;
    acquire(id, age, batch);  // the parent's lease
    put(id, nodes_[id].size(), age, batch);
    return true;
}

// Rows for the node's next tokens up to `upto`, or fewer where outputs are wanted and there are enough. Returns up to
// which it is.
uint32_t TokenForest::put(NodeId id, uint32_t upto, uint64_t age, Batch & batch) {
    Node & node = nodes_[id];
    Lease & lease = leases_[static_cast<size_t>(node.lease)];
    const auto first_row = static_cast<uint32_t>(batch.rows.size());
    const uint32_t begin = node.computed;
    uint32_t index = begin;
    for (; index < upto; ++index) {
        const bool last = index + 1 == node.size();
        const bool output = last ? node.want_last : node.want_inner;
        if (output && batch.outputs.size() == batch.max_outputs) break;
        if (output && last) node.row = static_cast<int32_t>(batch.outputs.size());
        if (output) batch.outputs.push_back({id, index});
        batch.rows.push_back({node.tokens[index], node.start + static_cast<Pos>(index), node.lease, output});
    }
    if (index == begin) return index;
    batch.spans.push_back({id, begin, index, first_row, age == spare});
    node.planned = true;
    lease.planned = true;
    lease.claim = std::min(lease.claim, age);  // who goes on with what an older one began holds it for that one
    lease.last_used = ++clock_;
    return index;
}

void TokenForest::keep(NodeId id) {
    Node & node = nodes_[id];
    node.usage->begun_kept += std::exchange(node.begun, 0);
    node.speculative = false;
}

void TokenForest::commit(const Batch & batch) {
    for (const Batch::Span & span : batch.spans) {
        Node & node = nodes_[span.node];
        const uint32_t count = span.end - span.begin;
        if (node.draft) {
            node.usage->drafted += count;
        } else {
            const uint32_t again = std::min(span.end, std::max(node.ever_computed, span.begin)) - span.begin;
            node.usage->recomputed += again;
            (node.given ? node.usage->prompt_decoded : node.usage->decoded) += count - again;
            if (span.speculative) {
                node.begun += count - again;
                node.usage->begun += count - again;
            }
        }
        node.ever_computed = std::max(node.ever_computed, span.end);
        node.planned = false;
        const SeqId seq = batch.rows[span.first_row].seq;
        leases_[static_cast<size_t>(seq)].planned = false;
        if (at_ends_) {
            commit_state(span, seq);
            continue;
        }
        node.computed = span.end;
        cells_used_ += count;
        node.usage->cells += count;
        node.usage->cells_peak = std::max(node.usage->cells_peak, node.usage->cells);
    }
}

void TokenForest::roll_back(const Batch & batch) {
    const auto park_held = [this](SeqId seq) {
        if (leases_[static_cast<size_t>(seq)].node != no_node) park(seq);
    };
    for (const Batch::Span & span : batch.spans) {
        nodes_[span.node].planned = false;
        // A lease may have several spans in the batch: a chain of ancestors computed in one go.
        park_held(batch.rows[span.first_row].seq);
    }
    if (!at_ends_) return;
    for (SeqId seq = 0; seq < static_cast<SeqId>(leases_.size()); ++seq) park_held(seq);
}

void TokenForest::check_integrity() const {
    if (at_ends_) check_states();
    const auto require = [](bool ok, const char * what) {
        if (!ok) throw Error(ErrorCode::internal, std::string("token forest: ") + what);
    };
    std::vector<bool> dead(nodes_.size(), false);
    for (const NodeId id : free_nodes_) dead[id] = true;
    int64_t cells = 0;
    std::vector<uint32_t> children(nodes_.size(), 0);
    for (NodeId id = 0; id < nodes_.size(); ++id) {
        if (dead[id]) continue;
        const Node & node = nodes_[id];
        cells += node.computed;
        require(node.computed <= node.size(), "more tokens computed than there are");
        require(node.computed == 0 || !node.leases.empty(), "cells without a lease");
        require(node.lease == no_seq || leases_[static_cast<size_t>(node.lease)].node == id, "lease points elsewhere");
        if (node.parent == no_node) continue;
        require(!dead[node.parent], "parent is gone");
        require(node.start == nodes_[node.parent].end(), "a parent with children has grown");
        ++children[node.parent];
    }
    for (NodeId id = 0; id < nodes_.size(); ++id) {
        require(dead[id] || nodes_[id].refs >= children[id], "fewer references than children");
    }
    require(at_ends_ || cells == cells_used_, "cells do not add up");
    for (SeqId seq = 0; seq < static_cast<SeqId>(leases_.size()); ++seq) {
        const NodeId at = leases_[static_cast<size_t>(seq)].node;
        if (at == no_node) continue;
        require(!leases_[static_cast<size_t>(seq)].planned, "a lease is still planned");
        for (NodeId id = at; id != no_node; id = nodes_[id].parent) {
            require(nodes_[id].leases.contains(seq), "a lease misses a node of its path");
            require(id == at || at_ends_ || nodes_[id].computed == nodes_[id].size(), "a hole above a lease");
        }
    }
}

}  // namespace thinktree
