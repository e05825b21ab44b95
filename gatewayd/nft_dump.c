/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: the kernel's answers, parsed by libnftnl (which checks attributes' lengths) into what we need of them. */
#include "gatewayd/nft_dump.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "gatewayd/nft_apply.h"

static void nftnl_set_freep(struct nftnl_set **s)
{
	if (*s != NULL)
		nftnl_set_free(*s);
}

struct elems_reader {
	nft_elem_fn fn;
	void *arg;
};

static int read_elem(struct nftnl_set_elem *elem, void *arg)
{
	const struct elems_reader *reader = arg;
	uint64_t left_ms;
	const void *key;
	uint32_t len;

	/* Without an end it is not one of ours. */
	if (!nftnl_set_elem_is_set(elem, NFTNL_SET_ELEM_KEY) || !nftnl_set_elem_is_set(elem, NFTNL_SET_ELEM_EXPIRATION))
		return 0;
	left_ms = nftnl_set_elem_get_u64(elem, NFTNL_SET_ELEM_EXPIRATION);
	key = nftnl_set_elem_get(elem, NFTNL_SET_ELEM_KEY, &len);
	return reader->fn(reader->arg, key, len, left_ms);
}

static int elems_msg(void *arg, const struct nlmsghdr *nlh)
{
	CLEANUP(nftnl_set_freep) struct nftnl_set *s = nftnl_set_alloc();

	if (s == NULL)
		return -ENOMEM;
	if ((nlh->nlmsg_type & 0xff) != NFT_MSG_NEWSETELEM)
		return 0;
	if (nftnl_set_elems_nlmsg_parse(nlh, s) < 0)
		return -EBADMSG;
	return nftnl_set_elem_foreach(s, read_elem, arg);
}

int nft_dump_elems(struct nft_channel *ch, const char *table, const char *set, nft_elem_fn fn, void *arg, struct err *e)
{
	struct elems_reader reader = { .fn = fn, .arg = arg };
	struct err why = { 0 };
	int r = -EINTR;

	for (int i = 0; i < NFT_DUMP_TRIES && r == -EINTR; i++) {
		_Alignas(8) char buf[512];
		struct nlmsghdr *req = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP, 0);

		mnl_attr_put_strz(req, NFTA_SET_ELEM_LIST_TABLE, table);
		mnl_attr_put_strz(req, NFTA_SET_ELEM_LIST_SET, set);
		r = nft_channel_request(ch, req, elems_msg, &reader, &why);
	}
	return r < 0 ? err_set(e, r, "read set %s: %s", set, why.msg) : 0;
}

struct first_left {
	bool found;
	uint64_t ms;
};

static int note_left(void *arg, const uint8_t *key, size_t len, uint64_t left_ms)
{
	struct first_left *first = arg;

	if (!first->found)
		*first = (struct first_left){ .found = true, .ms = left_ms };
	return 0;
}

int nft_dump_first_left(struct nft_channel *ch, const char *table, const char *set, uint64_t *ret_ms, struct err *e)
{
	struct first_left first = { 0 };
	int r = nft_dump_elems(ch, table, set, note_left, &first, e);

	if (r < 0)
		return r;
	if (!first.found)
		return err_set(e, -ENOENT, "set %s is empty", set);
	*ret_ms = first.ms;
	return 0;
}

static int table_msg(void *arg, const struct nlmsghdr *nlh)
{
	struct nft_table_state *state = arg;
	struct nftnl_table *t = nftnl_table_alloc();
	int r = 0;

	if (t == NULL)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(nlh, t) < 0) {
		r = -EBADMSG;
	} else {
		state->present = true;
		state->flags = nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS);
		if (nftnl_table_is_set(t, NFTNL_TABLE_OWNER))
			state->owner_portid = nftnl_table_get_u32(t, NFTNL_TABLE_OWNER);
	}
	nftnl_table_free(t);
	return r;
}

int nft_table_state_read(struct nft_channel *ch, struct nft_table_state *ret, struct err *e)
{
	_Alignas(8) char buf[256];
	struct nlmsghdr *req = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETTABLE, NFPROTO_INET, 0, 0);
	struct nft_table_state state = { 0 };
	struct err why = { 0 };
	int r;

	mnl_attr_put_strz(req, NFTA_TABLE_NAME, NFT_TABLE_NAME);
	r = nft_channel_request(ch, req, table_msg, &state, &why);
	if (r < 0 && r != -ENOENT)
		return err_set(e, r, "read table %s: %s", NFT_TABLE_NAME, why.msg);
	state.foreign_owner = (state.flags & NFT_TABLE_F_OWNER) != 0 && state.owner_portid != nft_channel_portid(ch);
	*ret = state;
	return 0;
}

/* A table being read; the arrays grow in @mem, the old ones stay there until it goes. */
struct table_reader {
	struct arena *mem;
	struct nft_set *sets;
	struct nft_chain *chains;
	struct nft_object *objects;
	uint32_t n_sets, n_chains, n_objects, room_sets, room_chains, room_objects;
};

static void *reader_grow(struct arena *mem, const void *old, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t wanted = *room == 0 ? 64 : *room * 2;
	void *p = arena_array(mem, wanted, size);

	if (p == NULL)
		return NULL;
	if (n != 0)
		memcpy(p, old, n * size);
	*room = wanted;
	return p;
}

/* Empty for a table of another name. */
static bool is_our_table(const char *table)
{
	return table != NULL && strcmp(table, NFT_TABLE_NAME) == 0;
}

static enum nft_hook hook_of(uint32_t number)
{
	static const enum nft_hook hooks[] = {
		[NF_INET_PRE_ROUTING] = NFT_H_PREROUTING,   [NF_INET_LOCAL_IN] = NFT_H_INPUT,
		[NF_INET_FORWARD] = NFT_H_FORWARD,	    [NF_INET_LOCAL_OUT] = NFT_H_OUTPUT,
		[NF_INET_POST_ROUTING] = NFT_H_POSTROUTING,
	};

	return number < ARRAY_LEN(hooks) ? hooks[number] : NFT_H_NONE;
}

static int chain_note(struct table_reader *reader, const struct nftnl_chain *c)
{
	struct nft_chain chain = { .name = arena_strdup(reader->mem, nftnl_chain_get_str(c, NFTNL_CHAIN_NAME)) };
	const char *type = nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE);

	if (chain.name == NULL)
		return -ENOMEM;
	if (nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM)) {
		chain.hook = hook_of(nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM));
		chain.priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO);
		chain.policy_drop = nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_DROP;
		chain.nat = type != NULL && strcmp(type, "nat") == 0;
		/* A type that we do not use: equal to nothing of ours. */
		if (type == NULL || (!chain.nat && strcmp(type, "filter") != 0))
			chain.priority = INT32_MIN;
	}
	if (reader->n_chains == reader->room_chains) {
		struct nft_chain *p =
			reader_grow(reader->mem, reader->chains, reader->n_chains, &reader->room_chains, sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		reader->chains = p;
	}
	reader->chains[reader->n_chains++] = chain;
	return 0;
}

static int chain_msg(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	int r = 0;

	if (c == NULL)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(nlh, c) < 0)
		r = -EBADMSG;
	else if (is_our_table(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE)))
		r = chain_note(arg, c);
	nftnl_chain_free(c);
	return r;
}

static int set_note(struct table_reader *reader, const struct nftnl_set *s)
{
	struct nft_set set = { .name = arena_strdup(reader->mem, nftnl_set_get_str(s, NFTNL_SET_NAME)) };

	if (set.name == NULL)
		return -ENOMEM;
	/* Goes with its rule, and cannot be named. */
	if ((nftnl_set_get_u32(s, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) != 0)
		return 0;
	if (reader->n_sets == reader->room_sets) {
		struct nft_set *p =
			reader_grow(reader->mem, reader->sets, reader->n_sets, &reader->room_sets, sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		reader->sets = p;
	}
	reader->sets[reader->n_sets++] = set;
	return 0;
}

static int set_msg(void *arg, const struct nlmsghdr *nlh)
{
	CLEANUP(nftnl_set_freep) struct nftnl_set *s = nftnl_set_alloc();

	if (s == NULL)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(nlh, s) < 0)
		return -EBADMSG;
	return is_our_table(nftnl_set_get_str(s, NFTNL_SET_TABLE)) ? set_note(arg, s) : 0;
}

static void nftnl_obj_freep(struct nftnl_obj **o)
{
	if (*o != NULL)
		nftnl_obj_free(*o);
}

static int object_note(struct table_reader *reader, struct nftnl_obj *o)
{
	struct nft_object object = { .name = arena_strdup(reader->mem, nftnl_obj_get_str(o, NFTNL_OBJ_NAME)) };

	if (object.name == NULL)
		return -ENOMEM;
	object.kind = (enum nft_object_kind)nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE);
	if (reader->n_objects == reader->room_objects) {
		struct nft_object *p =
			reader_grow(reader->mem, reader->objects, reader->n_objects, &reader->room_objects, sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		reader->objects = p;
	}
	reader->objects[reader->n_objects++] = object;
	return 0;
}

static int object_msg(void *arg, const struct nlmsghdr *nlh)
{
	CLEANUP(nftnl_obj_freep) struct nftnl_obj *o = nftnl_obj_alloc();

	if (o == NULL)
		return -ENOMEM;
	if (nftnl_obj_nlmsg_parse(nlh, o) < 0)
		return -EBADMSG;
	return is_our_table(nftnl_obj_get_str(o, NFTNL_OBJ_TABLE)) ? object_note(arg, o) : 0;
}

struct counter_reader {
	nft_counter_fn fn;
	void *arg;
};

static int counter_msg(void *arg, const struct nlmsghdr *nlh)
{
	CLEANUP(nftnl_obj_freep) struct nftnl_obj *o = nftnl_obj_alloc();
	const struct counter_reader *reader = arg;

	if (o == NULL)
		return -ENOMEM;
	if (nftnl_obj_nlmsg_parse(nlh, o) < 0)
		return -EBADMSG;
	if (!is_our_table(nftnl_obj_get_str(o, NFTNL_OBJ_TABLE)) ||
	    nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) != NFT_OBJECT_COUNTER)
		return 0;
	return reader->fn(reader->arg, nftnl_obj_get_str(o, NFTNL_OBJ_NAME), nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS),
			  nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_BYTES));
}

int nft_dump_counters(struct nft_channel *ch, nft_counter_fn fn, void *arg, struct err *e)
{
	struct counter_reader reader = { .fn = fn, .arg = arg };
	struct err why = { 0 };
	int r = -EINTR;

	for (int i = 0; i < NFT_DUMP_TRIES && r == -EINTR; i++) {
		_Alignas(8) char buf[256];
		struct nlmsghdr *req = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETOBJ, NFPROTO_INET, NLM_F_DUMP, 0);

		mnl_attr_put_strz(req, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
		mnl_attr_put_u32(req, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
		r = nft_channel_request(ch, req, counter_msg, &reader, &why);
	}
	return r < 0 ? err_set(e, r, "read counters: %s", why.msg) : 0;
}

int nft_dump_table(struct nft_channel *ch, struct arena *mem, struct nft_prog *ret, struct err *e)
{
	struct table_reader reader = { 0 };
	struct err why = { 0 };
	int r = -EINTR;

	for (int i = 0; i < NFT_DUMP_TRIES && r == -EINTR; i++) {
		_Alignas(8) char buf[256];
		struct nlmsghdr *req = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, NFPROTO_INET, NLM_F_DUMP, 0);

		reader = (struct table_reader){ .mem = mem };
		r = nft_channel_request(ch, req, chain_msg, &reader, &why);
		if (r < 0)
			continue;
		req = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETSET, NFPROTO_INET, NLM_F_DUMP, 0);
		mnl_attr_put_strz(req, NFTA_SET_TABLE, NFT_TABLE_NAME);
		r = nft_channel_request(ch, req, set_msg, &reader, &why);
		if (r < 0)
			continue;
		req = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETOBJ, NFPROTO_INET, NLM_F_DUMP, 0);
		mnl_attr_put_strz(req, NFTA_OBJ_TABLE, NFT_TABLE_NAME);
		r = nft_channel_request(ch, req, object_msg, &reader, &why);
	}
	if (r < 0)
		return err_set(e, r, "read table %s: %s", NFT_TABLE_NAME, why.msg);
	*ret = (struct nft_prog){ .sets = reader.sets,
				  .n_sets = reader.n_sets,
				  .chains = reader.chains,
				  .n_chains = reader.n_chains,
				  .objects = reader.objects,
				  .n_objects = reader.n_objects };
	return 0;
}
