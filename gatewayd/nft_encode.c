/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: program to bytes, called by nft_apply.c and nft_learn.c. Tables, chains, sets and rules go through libnftnl;
 * elements, of which there may be hundreds of thousands, are written as attributes at once (libnftnl would want an
 * object for each and has no limit on the length of a message).
 *
 * Sets whose keys have several fields and intervals are the kernel's "pipapo": an element has KEY and KEY_END. A single
 * field with intervals is its "rbtree": an element where the interval begins, and one with INTERVAL_END behind its end.
 *
 * Source: linux net/netfilter/nf_tables_api.c, nf_tables_newsetelem(); nftables src/netlink.c. */
#include "gatewayd/nft_encode.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "gatewayd/nft_stmt.h"
#include "policy/lower_nft.h"
#include "policy/prog_build.h"

#define DATATYPE_CLASSID 23 /* of nft: 32 bits in two halves */

/* Numbers of nft's data types: for people who list the table; the kernel only stores them. */
static uint32_t field_datatype(enum nft_field field)
{
	switch (field) {
	case NFT_F_IP_SADDR:
	case NFT_F_IP_DADDR:
		return 7; /* ipv4_addr */
	case NFT_F_IP6_SADDR:
	case NFT_F_IP6_DADDR:
		return 8; /* ipv6_addr */
	case NFT_F_L4PROTO:
		return 12; /* inet_proto */
	case NFT_F_TH_DPORT:
		return 13; /* inet_service */
	case NFT_F_IIFNAME:
	case NFT_F_OIFNAME:
		return 41; /* ifname */
	case NFT_F_NUMBER:
		return DATATYPE_CLASSID;
	case NFT_F_CT_MARK:
		return 19; /* mark */
	case NFT_F_ICMP6_TYPE:
		return 29; /* icmpv6_type */
	case NFT_F_MAX:
		break;
	}
	return 0;
}

/* Fields of a concatenation are padded to registers, a single field is as long as it is. */
static uint8_t set_key_len(const struct nft_set *set)
{
	return set->n_fields == 1 ? nft_field_len(set->fields[0]) : nft_key_len(set->fields, set->n_fields);
}

#define DATATYPE_BITS 6 /* of each part of a concatenation */

static struct nft_about about_set(const struct nft_set *set)
{
	return (struct nft_about){ .subject = NFT_ABOUT_SET, .name = set->name };
}

static struct nft_about about_chain(const struct nft_chain *chain)
{
	return (struct nft_about){ .subject = NFT_ABOUT_CHAIN, .name = chain->name };
}

static void table_msg(struct nft_batch *b, uint16_t type, uint16_t msg_flags, uint32_t flags)
{
	struct nft_about about = { .subject = NFT_ABOUT_TABLE, .name = nft_batch_table(b) };
	struct nlmsghdr *nlh = nft_batch_open(b, type, msg_flags, about);

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, nft_batch_table(b));
	if (type == NFT_MSG_NEWTABLE)
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
	nft_batch_close(b);
}

void nft_put_table(struct nft_batch *b, uint32_t flags)
{
	table_msg(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, flags);
}

void nft_adopt_table(struct nft_batch *b)
{
	table_msg(b, NFT_MSG_NEWTABLE, 0, NFT_TABLE_F_OWNER | NFT_TABLE_PERSIST);
}

void nft_del_table(struct nft_batch *b)
{
	table_msg(b, NFT_MSG_DELTABLE, 0, 0);
}

/* How the nft tool is to print keys of one field, and numbers: names of interfaces and numbers are as the host has
 * them, all else is in network order. Only a note for readers; the kernel keeps it as it is. */
static int set_note(struct nftnl_set *s, const struct nft_set *set)
{
	enum { HOST_ORDER = 1, NETWORK_ORDER = 2 }; /* enum byteorder, nftables include/datatype.h */
	bool host = set->fields[0] == NFT_F_IIFNAME || set->fields[0] == NFT_F_OIFNAME ||
		    set->fields[0] == NFT_F_NUMBER || set->fields[0] == NFT_F_CT_MARK;
	struct nftnl_udata_buf *note;
	bool ok = true;

	if (set->n_fields != 1 && set->map != NFT_MAP_NUMBER)
		return 0;
	note = nftnl_udata_buf_alloc(64);
	if (note == NULL)
		return -ENOMEM;
	if (set->n_fields == 1)
		ok = nftnl_udata_put_u32(note, NFTNL_UDATA_SET_KEYBYTEORDER, host ? HOST_ORDER : NETWORK_ORDER);
	if (set->map == NFT_MAP_NUMBER)
		ok = nftnl_udata_put_u32(note, NFTNL_UDATA_SET_DATABYTEORDER, HOST_ORDER) && ok;
	ok = ok &&
	     nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(note), nftnl_udata_buf_len(note)) == 0;
	nftnl_udata_buf_free(note);
	return ok ? 0 : -ENOMEM;
}

static int set_describe(struct nftnl_set *s, const struct nft_set *set)
{
	uint8_t lens[NFT_KEY_FIELDS_MAX + 1] = { 0 };
	uint32_t flags = 0, datatype = 0;

	for (uint8_t i = 0; i < set->n_fields; i++) {
		lens[i] = nft_field_len(set->fields[i]);
		datatype = datatype << DATATYPE_BITS | field_datatype(set->fields[i]);
	}
	if (set->interval)
		flags |= NFT_SET_INTERVAL;
	if (set->timeout)
		flags |= NFT_SET_TIMEOUT;
	if (set->map != NFT_MAP_NONE)
		flags |= NFT_SET_MAP;
	if (set->map == NFT_MAP_VERDICT)
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
	if (set->map == NFT_MAP_NUMBER) {
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, DATATYPE_CLASSID);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
	}
	if (set->n_fields > 1) {
		flags |= NFT_SET_CONCAT;
		if (nftnl_set_set_data(s, NFTNL_SET_DESC_CONCAT, lens, set->n_fields) < 0)
			return -ENOMEM;
	}
	if (set->size != 0)
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, set->size);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, datatype);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, set_key_len(set));
	return set_note(s, set);
}

static void nftnl_set_freep(struct nftnl_set **s)
{
	if (*s != NULL)
		nftnl_set_free(*s);
}

void nft_put_set(struct nft_batch *b, const struct nft_set *set, uint32_t id)
{
	CLEANUP(nftnl_set_freep) struct nftnl_set *s = nftnl_set_alloc();
	struct nlmsghdr *nlh;

	if (s == NULL || nftnl_set_set_str(s, NFTNL_SET_TABLE, nft_batch_table(b)) < 0 ||
	    nftnl_set_set_str(s, NFTNL_SET_NAME, set->name) < 0 || set_describe(s, set) < 0) {
		nft_batch_fail(b, -ENOMEM);
		return;
	}
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nlh = nft_batch_open(b, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, about_set(set));
	if (nlh == NULL)
		return;
	nftnl_set_nlmsg_build_payload(nlh, s);
	nft_batch_close(b);
}

void nft_del_set(struct nft_batch *b, const struct nft_set *set)
{
	struct nlmsghdr *nlh = nft_batch_open(b, NFT_MSG_DELSET, 0, about_set(set));

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, nft_batch_table(b));
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, set->name);
	nft_batch_close(b);
}

/* Messages of elements of one set: a new one is begun when the nest is full. */
struct elem_writer {
	struct nft_batch *b;
	const char *set;
	uint16_t type;
	struct nlmsghdr *nlh;
	struct nlattr *list;
};

static void writer_end(struct elem_writer *w)
{
	if (w->nlh == NULL)
		return;
	mnl_attr_nest_end(w->nlh, w->list);
	nft_batch_close(w->b);
	w->nlh = NULL;
}

/* Begin the next element. NULL when the batch has failed. */
static struct nlattr *writer_elem(struct elem_writer *w, const char *pos)
{
	struct nft_about about = { .subject = NFT_ABOUT_SET, .name = w->set };

	if (w->nlh != NULL &&
	    (size_t)((uint8_t *)mnl_nlmsg_get_payload_tail(w->nlh) - (uint8_t *)w->list) > NFT_ELEMS_BYTES_MAX)
		writer_end(w);
	if (w->nlh == NULL) {
		w->nlh = nft_batch_open(w->b, w->type, w->type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, about);
		if (w->nlh == NULL)
			return NULL;
		mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_TABLE, nft_batch_table(w->b));
		mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_SET, w->set);
		w->list = mnl_attr_nest_start(w->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	}
	nft_batch_elem(w->b, pos);
	return mnl_attr_nest_start(w->nlh, NFTA_LIST_ELEM);
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *data, uint8_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(nlh, nest);
}

static void put_elem_verdict(struct nlmsghdr *nlh, const struct nft_elem *elem)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl(nft_verdict_code(elem->verdict)));
	if (elem->chain != NULL)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, elem->chain);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

/* The value after @key, as one number of @len bytes. False when there is none. */
static bool key_next(const uint8_t *key, uint8_t len, uint8_t *ret)
{
	memcpy(ret, key, len);
	for (uint8_t i = len; i > 0; i--) {
		if (++ret[i - 1] != 0)
			return true;
	}
	return false;
}

static void write_elem(struct elem_writer *w, const struct nft_set *set, const struct nft_elem *elem)
{
	uint8_t len = set_key_len(set);
	uint8_t end[sizeof(elem->hi.bytes)];
	struct nlattr *nest = writer_elem(w, elem->pos);
	bool ranges = set->interval && set->n_fields == 1;

	if (nest == NULL)
		return;
	put_value(w->nlh, NFTA_SET_ELEM_KEY, elem->lo.bytes, len);
	if (set->interval && !ranges)
		put_value(w->nlh, NFTA_SET_ELEM_KEY_END, elem->hi.bytes, len);
	if (set->map == NFT_MAP_VERDICT)
		put_elem_verdict(w->nlh, elem);
	if (set->map == NFT_MAP_NUMBER)
		put_value(w->nlh, NFTA_SET_ELEM_DATA, &elem->number, sizeof(elem->number));
	mnl_attr_nest_end(w->nlh, nest);

	if (!ranges || !key_next(elem->hi.bytes, len, end))
		return;
	nest = writer_elem(w, elem->pos);
	if (nest == NULL)
		return;
	mnl_attr_put_u32(w->nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_value(w->nlh, NFTA_SET_ELEM_KEY, end, len);
	mnl_attr_nest_end(w->nlh, nest);
}

static void write_elems(struct nft_batch *b, uint16_t type, const struct nft_set *set,
			const struct nft_elem *const *elems, uint32_t n)
{
	struct elem_writer w = { .b = b, .set = set->name, .type = type };

	for (uint32_t i = 0; i < n; i++)
		write_elem(&w, set, elems[i]);
	writer_end(&w);
}

void nft_put_elems(struct nft_batch *b, const struct nft_set *set, const struct nft_elem *const *elems, uint32_t n)
{
	write_elems(b, NFT_MSG_NEWSETELEM, set, elems, n);
}

void nft_del_elems(struct nft_batch *b, const struct nft_set *set, const struct nft_elem *const *elems, uint32_t n)
{
	write_elems(b, NFT_MSG_DELSETELEM, set, elems, n);
}

static void nftnl_chain_freep(struct nftnl_chain **c)
{
	if (*c != NULL)
		nftnl_chain_free(*c);
}

static_assert((int)NFT_O_COUNTER == NFT_OBJECT_COUNTER && (int)NFT_O_LIMIT == NFT_OBJECT_LIMIT, "the kernel's");

static struct nft_about about_object(const struct nft_object *object)
{
	return (struct nft_about){ .subject = NFT_ABOUT_OBJECT, .name = object->name };
}

static void nftnl_obj_freep(struct nftnl_obj **o)
{
	if (*o != NULL)
		nftnl_obj_free(*o);
}

/* Without NLM_F_EXCL: nf_tables_newobj() leaves an object that cannot be updated as it is. */
void nft_put_object(struct nft_batch *b, const struct nft_object *object)
{
	CLEANUP(nftnl_obj_freep) struct nftnl_obj *o = nftnl_obj_alloc();
	struct nlmsghdr *nlh;

	if (o == NULL) {
		nft_batch_fail(b, -ENOMEM);
		return;
	}
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, nft_batch_table(b));
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, object->name);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, object->kind);
	if (object->kind == NFT_O_LIMIT) {
		nftnl_obj_set_u64(o, NFTNL_OBJ_LIMIT_RATE, object->per_s);
		nftnl_obj_set_u64(o, NFTNL_OBJ_LIMIT_UNIT, 1); /* second */
		nftnl_obj_set_u32(o, NFTNL_OBJ_LIMIT_BURST, object->burst);
		nftnl_obj_set_u32(o, NFTNL_OBJ_LIMIT_TYPE, NFT_LIMIT_PKTS);
		nftnl_obj_set_u32(o, NFTNL_OBJ_LIMIT_FLAGS, 0);
	} else {
		nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS, 0);
		nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_BYTES, 0);
	}
	nlh = nft_batch_open(b, NFT_MSG_NEWOBJ, NLM_F_CREATE, about_object(object));
	if (nlh == NULL)
		return;
	nftnl_obj_nlmsg_build_payload(nlh, o);
	nft_batch_close(b);
}

void nft_del_object(struct nft_batch *b, const struct nft_object *object)
{
	struct nlmsghdr *nlh = nft_batch_open(b, NFT_MSG_DELOBJ, 0, about_object(object));

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, nft_batch_table(b));
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, object->name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(object->kind));
	nft_batch_close(b);
}

static uint32_t hook_number(enum nft_hook hook)
{
	switch (hook) {
	case NFT_H_INPUT:
		return NF_INET_LOCAL_IN;
	case NFT_H_FORWARD:
		return NF_INET_FORWARD;
	case NFT_H_OUTPUT:
		return NF_INET_LOCAL_OUT;
	case NFT_H_POSTROUTING:
		return NF_INET_POST_ROUTING;
	case NFT_H_PREROUTING:
	case NFT_H_NONE:
		break;
	}
	return NF_INET_PRE_ROUTING;
}

void nft_put_chain(struct nft_batch *b, const struct nft_chain *chain)
{
	CLEANUP(nftnl_chain_freep) struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *nlh;

	if (c == NULL || nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, nft_batch_table(b)) < 0 ||
	    nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, chain->name) < 0) {
		nft_batch_fail(b, -ENOMEM);
		return;
	}
	if (chain->hook != NFT_H_NONE) {
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook_number(chain->hook));
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, chain->priority);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, chain->policy_drop ? NF_DROP : NF_ACCEPT);
		if (nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, nft_chain_type(chain)) < 0) {
			nft_batch_fail(b, -ENOMEM);
			return;
		}
	}
	nlh = nft_batch_open(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, about_chain(chain));
	if (nlh == NULL)
		return;
	nftnl_chain_nlmsg_build_payload(nlh, c);
	nft_batch_close(b);
}

void nft_del_chain(struct nft_batch *b, const struct nft_chain *chain)
{
	struct nlmsghdr *nlh = nft_batch_open(b, NFT_MSG_DELCHAIN, 0, about_chain(chain));

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, nft_batch_table(b));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, chain->name);
	nft_batch_close(b);
}

void nft_flush_chain(struct nft_batch *b, const struct nft_chain *chain)
{
	struct nlmsghdr *nlh = nft_batch_open(b, NFT_MSG_DELRULE, 0, about_chain(chain));

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, nft_batch_table(b));
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain->name);
	nft_batch_close(b);
}

static void nftnl_rule_freep(struct nftnl_rule **r)
{
	if (*r != NULL)
		nftnl_rule_free(*r);
}

static void put_rule(struct nft_batch *b, const struct nft_chain *chain, const struct nft_rule *rule)
{
	CLEANUP(nftnl_rule_freep) struct nftnl_rule *r = nftnl_rule_alloc();
	struct nft_about about = { .subject = NFT_ABOUT_RULE, .name = chain->name, .pos = rule->pos };
	struct nlmsghdr *nlh;
	int err = -ENOMEM;

	if (r == NULL || nftnl_rule_set_str(r, NFTNL_RULE_TABLE, nft_batch_table(b)) < 0 ||
	    nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain->name) < 0 || (err = nft_rule_exprs(r, rule)) < 0) {
		nft_batch_fail(b, err);
		return;
	}
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nlh = nft_batch_open(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, about);
	if (nlh == NULL)
		return;
	nftnl_rule_nlmsg_build_payload(nlh, r);
	nft_batch_close(b);
}

void nft_put_rules(struct nft_batch *b, const struct nft_chain *chain)
{
	for (uint32_t i = 0; i < chain->n_rules; i++)
		put_rule(b, chain, &chain->rules[i]);
}

static int by_set(const void *a, const void *b)
{
	const struct lease_op *x = a, *y = b;

	if (x->client.family != y->client.family)
		return x->client.family < y->client.family ? -1 : 1;
	if (x->lease.mark != y->lease.mark)
		return x->lease.mark < y->lease.mark ? -1 : 1;
	return 0;
}

void lease_ops_by_set(struct lease_ops *ops)
{
	if (ops->n > 1)
		qsort(ops->ops, ops->n, sizeof(*ops->ops), by_set);
}

enum lease_write { LEASE_PLAIN = 0, LEASE_TIMED, LEASE_DELETE };

static void write_lease(struct elem_writer *w, const struct lease_op *op, enum lease_write how, uint64_t now_us)
{
	uint8_t len = ip_addr_len(&op->client);
	uint64_t left_ms = op->lease.expires_us > now_us ? (op->lease.expires_us - now_us) / 1000 : 0;
	struct nlattr *nest = writer_elem(w, NULL);
	uint8_t key[32];

	if (nest == NULL)
		return;
	memcpy(key, op->client.bytes, len);
	memcpy(key + len, op->lease.addr.bytes, len);
	put_value(w->nlh, NFTA_SET_ELEM_KEY, key, (uint8_t)(2 * len));
	if (how == LEASE_TIMED) {
		/* 0 would be "for ever". */
		left_ms = htobe64(left_ms != 0 ? left_ms : 1);
		mnl_attr_put_u64(w->nlh, NFTA_SET_ELEM_TIMEOUT, left_ms);
		mnl_attr_put_u64(w->nlh, NFTA_SET_ELEM_EXPIRATION, left_ms);
	}
	mnl_attr_nest_end(w->nlh, nest);
}

/* Runs of leases of one set, as messages of one kind. */
static void write_leases(struct nft_batch *b, const struct lease_op *ops, uint32_t n, enum lease_write how,
			 uint64_t now_us)
{
	char name[NFT_NAME_MAX];
	struct elem_writer w = { .b = b, .type = how == LEASE_DELETE ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM };

	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || by_set(&ops[i - 1], &ops[i]) != 0) {
			writer_end(&w);
			learned_set_name(ops[i].lease.mark, ops[i].client.family, name);
			w.set = name;
		}
		write_lease(&w, &ops[i], how, now_us);
	}
	writer_end(&w);
}

void nft_put_leases(struct nft_batch *b, const struct lease_op *ops, uint32_t n, uint64_t now_us, bool elem_update)
{
	if (!elem_update) {
		/* Deleting what is not there fails the batch: so it is added first, whether it is there or not. */
		write_leases(b, ops, n, LEASE_PLAIN, 0);
		write_leases(b, ops, n, LEASE_DELETE, 0);
	}
	write_leases(b, ops, n, LEASE_TIMED, now_us);
}

void nft_del_leases(struct nft_batch *b, const struct lease_op *ops, uint32_t n)
{
	write_leases(b, ops, n, LEASE_PLAIN, 0);
	write_leases(b, ops, n, LEASE_DELETE, 0);
}
