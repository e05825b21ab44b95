/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: the only place where a program goes to the kernel. Every change is one batch, which the kernel takes or leaves
 * as a whole. Replacing is sent twice: first without its end (the kernel checks all of it, and takes it back), then
 * whole. A batch is one transaction: packets are judged by the table before it or by the table after it.
 *
 * Replacing is not "delete the table, add a table": the hooks of the new base chains would stand before those of the
 * old ones for a moment, and a packet that has passed the new one just before the commit (still empty) and meets the
 * old one just behind it (already empty) would be judged by nobody. So base chains that stay the same are kept, emptied
 * and filled: the kernel switches a chain's rules at once. Counters whose names stay are kept with what they have
 * counted. Everything else of the old table goes. It is computed
 * against a ruleset generation: a change by others between the look and the batch is met with -ESTALE, and we look
 * again.
 *
 * Owner: NEWTABLE with NFT_TABLE_F_OWNER binds the table to our socket; with NFT_TABLE_PERSIST it stays when the socket
 * closes, without an owner, and can then be adopted by the next gatewayd in the batch that renews it.
 *
 * Source: linux net/netfilter/nf_tables_api.c, nf_tables_commit(), nf_tables_updtable(), nft_rcv_nl_event(). */
#include "gatewayd/nft_apply.h"

#include <linux/netfilter/nf_tables.h>

#include "gatewayd/nft_diff.h"
#include "gatewayd/nft_dump.h"
#include "gatewayd/nft_encode.h"
#include "gatewayd/nft_fill.h"
#include "policy/lower_nft.h"

/* Somebody changes other tables all the time? Then three looks in a row do not help either. */
#define REPLACE_TRIES 3

bool nft_apply_unsure(int code)
{
	return code == -ENOBUFS || code == -EIO;
}

/* Which sets are new to the kernel, and so get their leases. */
struct lease_filter {
	const struct nft_diff *diff;
	struct lease_ops *ops;
	uint64_t now_us;
};

static bool set_is_new(const struct nft_diff *d, const char *name)
{
	for (uint32_t i = 0; i < d->n_ops; i++) {
		if (d->ops[i].kind == NFT_OP_PUT_SET && strcmp(d->ops[i].set->name, name) == 0)
			return true;
	}
	return false;
}

static int lease_pick(void *arg, const struct ip_addr *client, const struct lease *lease)
{
	struct lease_filter *f = arg;

	if (lease->expires_us <= f->now_us)
		return 0;
	return lease_ops_add(f->ops, client, lease);
}

/* Leases of sets that are new, in the order of their sets. */
static int leases_collect(const struct learned *keep, const struct nft_diff *d, uint64_t now_us, struct lease_ops *ret,
			  struct err *e)
{
	struct lease_filter f = { .diff = d, .ops = ret, .now_us = now_us };
	char name[NFT_NAME_MAX];
	uint32_t n = 0;
	bool is_new = false;
	int r = keep != NULL ? learned_each(keep, lease_pick, &f) : 0;

	if (r < 0)
		return err_set(e, r, "leases to keep");
	lease_ops_by_set(ret);
	for (uint32_t i = 0; i < ret->n; i++) {
		if (i == 0 || ret->ops[i].lease.mark != ret->ops[i - 1].lease.mark ||
		    ret->ops[i].client.family != ret->ops[i - 1].client.family) {
			learned_set_name(ret->ops[i].lease.mark, ret->ops[i].client.family, name);
			is_new = set_is_new(d, name);
		}
		if (is_new)
			ret->ops[n++] = ret->ops[i];
	}
	ret->n = n;
	return 0;
}

static void put_op(struct nft_batch *b, const struct nft_op *op, uint32_t id)
{
	switch (op->kind) {
	case NFT_OP_FLUSH_CHAIN:
		nft_flush_chain(b, op->chain);
		return;
	case NFT_OP_DEL_ELEMS:
		nft_del_elems(b, op->set, op->elems, op->n_elems);
		return;
	case NFT_OP_PUT_OBJECT:
		nft_put_object(b, op->object);
		return;
	case NFT_OP_PUT_SET:
		nft_put_set(b, op->set, id);
		return;
	case NFT_OP_PUT_CHAIN:
		nft_put_chain(b, op->chain);
		return;
	case NFT_OP_PUT_ELEMS:
		nft_put_elems(b, op->set, op->elems, op->n_elems);
		return;
	case NFT_OP_PUT_RULES:
		nft_put_rules(b, op->chain);
		return;
	case NFT_OP_DEL_CHAIN:
		nft_del_chain(b, op->chain);
		return;
	case NFT_OP_DEL_SET:
		nft_del_set(b, op->set);
		return;
	case NFT_OP_DEL_OBJECT:
		nft_del_object(b, op->object);
		return;
	case NFT_OP_MAX:
		break;
	}
	nft_batch_fail(b, -EINVAL);
}

/* All operations, and the leases once their sets are there. */
static void put_diff(struct nft_batch *b, const struct nft_diff *d, const struct lease_ops *leases, uint64_t now_us,
		     struct nft_apply_result *result)
{
	for (uint32_t i = 0; i < d->n_ops; i++) {
		put_op(b, &d->ops[i], i + 1);
		if (d->ops[i].kind == NFT_OP_PUT_ELEMS)
			result->elems_added += d->ops[i].n_elems;
		if (d->ops[i].kind == NFT_OP_DEL_ELEMS)
			result->elems_removed += d->ops[i].n_elems;
	}
	/* The sets are new: nothing there to be updated. */
	nft_put_leases(b, leases->ops, leases->n, now_us, /* elem_update= */ true);
	result->leases = leases->n;
}

/* CHECK: dry run only. COMMIT: dry run, then in earnest. COMMIT_ONLY: without a dry run. */
enum send_how { SEND_CHECK = 0, SEND_COMMIT, SEND_COMMIT_ONLY };

static int send_batch(struct nft_channel *ch, struct nft_batch *b, enum send_how how, struct nft_apply_result *result,
		      struct err *e)
{
	int r = nft_batch_finish(b, e);

	if (r == 0 && how != SEND_COMMIT_ONLY)
		r = nft_channel_send(ch, b, /* dry= */ true, NULL, e);
	if (r == 0 && how != SEND_CHECK)
		r = nft_channel_send(ch, b, /* dry= */ false, NULL, e);
	if (r == 0) {
		result->messages = nft_batch_count(b);
		(void)nft_batch_bytes(b, false, &result->bytes);
	}
	return r;
}

/* What the caller wants, for both ways. */
struct job {
	struct nft_channel *ch;
	const struct nft_prog *from, *to;
	const struct learned *keep;
	uint64_t now_us;
	enum send_how how;
};

/* A difference needs no dry run: the kernel checks all of a batch before any of it can be seen, and takes it back as a
 * whole, in earnest just as in a dry run; but a dry run always ends in nf_tables_abort(), which waits for all
 * processors (synchronize_rcu()): 10 to 25 ms, where the change of a device takes less than one. */
static int apply_diff(const struct job *job, struct nft_diff *d, struct nft_apply_result *ret, struct err *e)
{
	enum send_how how = job->how == SEND_COMMIT ? SEND_COMMIT_ONLY : job->how;
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	CLEANUP(lease_ops_done) struct lease_ops leases = { 0 };
	struct nft_apply_result result = { 0 };
	struct nft_filled filled = { 0 };
	int r;

	if (d->n_ops != 0) {
		r = leases_collect(job->keep, d, job->now_us, &leases, e);
		if (r == 0 && how != SEND_CHECK)
			r = nft_fill(job->ch, d, NULL, -1, nft_channel_chunk(job->ch), &filled, e);
		if (r < 0)
			return r;
		r = nft_channel_batch(job->ch, 0, &b, e);
		if (r == 0) {
			put_diff(b, d, &leases, job->now_us, &result);
			result.elems_added += filled.n_elems;
			r = send_batch(job->ch, b, how, &result, e);
		}
		if (r < 0) {
			nft_fill_undo(job->ch, &filled, false);
			return r;
		}
	}
	*ret = result;
	return 0;
}

/* Can the table that is there be kept, its content renewed? */
static bool table_fits(const struct nft_table_state *state, bool owner)
{
	return state->present && (state->flags & ~NFT_TABLE_F_OWNER) == (owner ? NFT_TABLE_PERSIST : 0);
}

static bool chain_kept(const struct nft_prog *found, const struct nft_chain *chain)
{
	for (uint32_t i = 0; chain->hook != NFT_H_NONE && i < found->n_chains; i++) {
		const struct nft_chain *old = &found->chains[i];

		if (strcmp(old->name, chain->name) == 0)
			return old->hook == chain->hook && old->nat == chain->nat && old->route == chain->route &&
			       old->priority == chain->priority && old->policy_drop == chain->policy_drop;
	}
	return false;
}

static int object_cmp(const void *a, const void *b)
{
	const struct nft_object *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* A limit has nothing to keep, and its rate may be another now. */
static bool object_kept(const struct nft_prog *to, const struct nft_object *found)
{
	const struct nft_object *same = found->kind == NFT_O_COUNTER && to->n_objects != 0
						? bsearch(found, to->objects, to->n_objects, sizeof(*found), object_cmp)
						: NULL;

	return same != NULL && same->kind == NFT_O_COUNTER;
}

static bool is_filled(const struct nft_filled *filled, const char *name)
{
	for (uint32_t i = 0; i < filled->n; i++) {
		if (strcmp(filled->sets[i]->name, name) == 0)
			return true;
	}
	return false;
}

/* Take everything out of the table but the base chains and counters that stay, and what was filled for it just now. */
static void put_clear(struct nft_batch *b, const struct nft_prog *found, const struct nft_prog *to,
		      const struct nft_filled *filled)
{
	for (uint32_t i = 0; i < found->n_chains; i++)
		nft_flush_chain(b, &found->chains[i]);
	for (uint32_t i = 0; i < found->n_sets; i++) {
		if (!is_filled(filled, found->sets[i].name))
			nft_del_set(b, &found->sets[i]);
	}
	for (uint32_t i = 0; i < found->n_chains; i++) {
		if (!chain_kept(to, &found->chains[i]))
			nft_del_chain(b, &found->chains[i]);
	}
	for (uint32_t i = 0; i < found->n_objects; i++) {
		if (!object_kept(to, &found->objects[i]))
			nft_del_object(b, &found->objects[i]);
	}
}

/* The kept chains are not to be added. */
static void diff_keep_chains(struct nft_diff *d, const struct nft_prog *found)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_ops; i++) {
		if (d->ops[i].kind != NFT_OP_PUT_CHAIN || !chain_kept(found, d->ops[i].chain))
			d->ops[n++] = d->ops[i];
	}
	d->n_ops = n;
}

/* Table and old content: what the batch begins with. */
static int put_table(const struct job *job, struct nft_batch *b, const struct nft_table_state *state,
		     const struct nft_filled *filled, struct nft_diff *d, struct err *e)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(/* limit_bytes= */ 0);
	bool owner = nft_channel_features(job->ch)->owner;
	struct nft_prog found = { 0 };
	int r;

	if (mem == NULL)
		return err_set(e, -ENOMEM, "apply");
	if (!table_fits(state, owner)) {
		if (state->present)
			nft_del_table(b);
		nft_put_table(b, owner ? NFT_TABLE_F_OWNER | NFT_TABLE_PERSIST : 0);
		return 0;
	}
	r = nft_dump_table(job->ch, mem, &found, e);
	if (r < 0)
		return r;
	if (owner && (state->flags & NFT_TABLE_F_OWNER) == 0)
		nft_adopt_table(b);
	put_clear(b, &found, job->to, filled);
	diff_keep_chains(d, &found);
	return 0;
}

/* What large sets are filled into: the table that is there, or one that is made for it. One that will be deleted first
 * is neither: then all goes in one batch. */
static int fill_ahead(const struct job *job, const struct nft_table_state *state, struct nft_diff *d,
		      struct nft_filled *ret, struct err *e)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(/* limit_bytes= */ 0);
	bool owner = nft_channel_features(job->ch)->owner;
	uint32_t chunk = nft_channel_chunk(job->ch);
	struct nft_prog found = { 0 };
	int64_t flags = -1;
	int r;

	if (job->how == SEND_CHECK || !nft_fill_needed(job->to, chunk) || (state->present && !table_fits(state, owner)))
		return 0;
	if (mem == NULL)
		return err_set(e, -ENOMEM, "apply");
	if (!state->present)
		flags = owner ? NFT_TABLE_F_OWNER | NFT_TABLE_PERSIST : 0;
	r = state->present ? nft_dump_table(job->ch, mem, &found, e) : 0;
	return r == 0 ? nft_fill(job->ch, d, &found, flags, chunk, ret, e) : r;
}

/* The last batch, behind what was filled ahead. */
static int replace_rest(const struct job *job, struct nft_diff *d, const struct nft_filled *filled,
			struct nft_apply_result *result, struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	CLEANUP(lease_ops_done) struct lease_ops leases = { 0 };
	struct nft_table_state state = { 0 };
	uint32_t genid;
	int r = nft_channel_genid(job->ch, &genid, e);

	if (r == 0)
		r = nft_table_state_read(job->ch, &state, e);
	if (r == 0)
		r = leases_collect(job->keep, d, job->now_us, &leases, e);
	if (r == 0)
		r = nft_channel_batch(job->ch, genid, &b, e);
	if (r == 0)
		r = put_table(job, b, &state, filled, d, e);
	if (r < 0)
		return r;
	put_diff(b, d, &leases, job->now_us, result);
	result->elems_added += filled->n_elems;
	r = send_batch(job->ch, b, job->how, result, e);
	return r;
}

static int replace_once(const struct job *job, struct arena *mem, struct nft_apply_result *ret, struct err *e)
{
	struct nft_apply_result result = { .replaced = true };
	struct nft_table_state state = { 0 };
	struct nft_filled filled = { 0 };
	struct nft_diff d;
	int r = nft_table_state_read(job->ch, &state, e);

	if (r < 0)
		return r;
	if (state.foreign_owner)
		return err_set(e, -EPERM, "table %s is owned by another process (netlink port %u)", NFT_TABLE_NAME,
			       state.owner_portid);
	r = nft_diff(NULL, job->to, mem, &d, e);
	if (r == 0)
		r = fill_ahead(job, &state, &d, &filled, e);
	if (r < 0)
		return r;
	r = replace_rest(job, &d, &filled, &result, e);
	if (r < 0)
		nft_fill_undo(job->ch, &filled, /* table= */ filled.n != 0 && !state.present);
	else
		*ret = result;
	return r;
}

static int apply_replace(const struct job *job, struct arena *mem, struct nft_apply_result *ret, struct err *e)
{
	struct err why = { 0 };
	int r = -ESTALE;

	/* -EINTR: the change fell into one of the looks. Unsure: it may be there, and is put there once more. */
	for (int i = 0; i < REPLACE_TRIES && (r == -ESTALE || r == -EINTR || nft_apply_unsure(r)); i++)
		r = replace_once(job, mem, ret, &why);
	return r < 0 ? err_set(e, r, "%s", why.msg) : 0;
}

static int apply_job(const struct job *job, struct nft_apply_result *ret, struct err *e)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(/* limit_bytes= */ 0);
	struct nft_diff d = { .replace = true };
	int r = 0;

	if (mem == NULL)
		return err_set(e, -ENOMEM, "apply");
	if (job->from != NULL) {
		r = nft_diff(job->from, job->to, mem, &d, e);
		if (r < 0)
			return r;
	}
	if (!d.replace) {
		struct err why = { 0 };

		r = apply_diff(job, &d, ret, &why);
		if (r != -ENOENT && r != -EEXIST && !nft_apply_unsure(r))
			return r < 0 ? err_set(e, r, "%s", why.msg) : 0;
	}
	return apply_replace(job, mem, ret, e);
}

int nft_apply(struct nft_channel *ch, const struct nft_prog *from, const struct nft_prog *to,
	      const struct learned *keep, uint64_t now_us, struct nft_apply_result *ret, struct err *e)
{
	struct job job = { .ch = ch, .from = from, .to = to, .keep = keep, .now_us = now_us, .how = SEND_COMMIT };

	return apply_job(&job, ret, e);
}

int nft_repair(struct nft_channel *ch, const struct nft_prog *to, const struct learned *keep, uint64_t now_us,
	       struct nft_apply_result *ret, struct err *e)
{
	struct job job = { .ch = ch, .to = to, .keep = keep, .now_us = now_us, .how = SEND_COMMIT_ONLY };

	return apply_job(&job, ret, e);
}

int nft_apply_check(struct nft_channel *ch, const struct nft_prog *from, const struct nft_prog *to, struct err *e)
{
	struct job job = { .ch = ch, .from = from, .to = to, .how = SEND_CHECK };
	struct nft_apply_result ignored;

	return apply_job(&job, &ignored, e);
}

int nft_apply_remove(struct nft_channel *ch, struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	struct nft_table_state state;
	int r = nft_table_state_read(ch, &state, e);

	if (r < 0 || !state.present)
		return r;
	r = nft_channel_batch(ch, 0, &b, e);
	if (r < 0)
		return r;
	nft_del_table(b);
	r = nft_batch_finish(b, e);
	return r < 0 ? r : nft_channel_send(ch, b, /* dry= */ false, NULL, e);
}
