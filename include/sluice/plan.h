/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan: what a policy, a device list and a host's settings mean, resolved to addresses. The one intermediate form
 * between the policy compiler and everything that acts on it: kernel (lower_nft), resolver (lower_dns), recorder
 * (lower_log), revocation (plan_verdict).
 *
 * Plain data in one arena, immutable once compiled. Canonical: the same meaning gives the same bytes, whatever the
 * order of members in the source. Sources with the same rules, log level and DNS filter share a class. */
#pragma once

#include "base/arena.h"
#include "sluice/addr.h"
#include "sluice/dname.h"

/* Bits of the conntrack mark that are ours: all but Tailscale's third byte (syntax.md 3.2). They hold plan_rule.mark.
 */
#define CT_MARK_MASK 0xff00ffffu

/* The set of addresses that a resolve-first device was given: it is no rule's, so it has a name of its own. */
#define LEARN_SEEN 0u

enum plan_action { PLAN_ACCEPT = 0, PLAN_DROP, PLAN_REJECT, PLAN_ACTION_MAX };

/* How much is recorded of a device (design.md section 4, "logs"). */
enum log_level {
	LOG_LEVEL_OFF = 0,
	LOG_LEVEL_BLOCKED,
	LOG_LEVEL_COUNTS,
	LOG_LEVEL_PSEUDONYMOUS,
	LOG_LEVEL_FULL,
	LOG_LEVEL_MAX
};

enum device_state { DEVICE_PENDING = 0, DEVICE_ACTIVE, DEVICE_QUARANTINED, DEVICE_EXPIRED, DEVICE_STATE_MAX };

/* Ports of one protocol. For protocols without ports the range is 0-65535. */
struct service {
	uint8_t proto; /* IP protocol number */
	uint16_t port_lo, port_hi;
};

/* Addresses, as a set of steps: in order, what a step adds is in, what it removes is out. */
struct plan_addr_step {
	bool remove;
	const char *source;	       /* "geo:KP", whose ranges whoever looks has; NULL: none */
	const struct ip_range *ranges; /* sorted, disjoint */
	uint32_t n_ranges;
	const struct plan_addr_step *nested; /* of another set, or NULL */
	uint32_t n_nested;
};

struct plan_addr_set {
	const struct plan_addr_step *steps;
	uint32_t n;
};

/* One entry of acls, grants or denies, in that order. An entry whose names are opened with different services (an ACL
 * with two `dns:` destinations) is one rule for each set of services, one behind the other with the same .pos. */
struct plan_rule {
	uint32_t mark; /* ct mark, bits of CT_MARK_MASK only, never 0. A hash of the rule's own text, so that it stays
			* the same when other rules come and go, and over restarts; collisions are moved on in order. */
	enum plan_action action;
	const char *pos;    /* JSON pointer: "/grants/0" */
	const char *egress; /* name of the way out that its packets take; NULL: the host's own */
	uint32_t line, col; /* in the policy file, from 1 */
	/* Names that open (or close) it: `dns:` destinations. A rule may have addresses and names both. */
	const struct name_pattern *names;
	uint32_t n_names;
	/* Services of the rule for its names: what is opened toward a learned address. Sorted, disjoint. */
	const struct service *services;
	uint32_t n_services;
	/* Of a deny: addresses that it closes for everything, so that no answer is to hold them either. */
	const struct plan_addr_set *closed;
	uint32_t n_closed;
};

/* Destinations, numbered: addresses that no rule tells apart have a number in common, whatever their family, so that a
 * packet's cost and the size of a class do not grow with the addresses behind its rules. An address in no range is
 * opened to nobody. */
struct plan_dst_range {
	struct ip_range range;
	uint32_t dst; /* number, an index in .ids */
};

struct plan_dsts {
	const struct plan_dst_range
		*ranges; /* sorted, disjoint, IPv4 first; numbers in the order of their first range */
	uint32_t n_ranges;
	const uint32_t *ids; /* of each number, in the kernel's maps: from 1 on, see plan_keep_ids() */
	uint32_t n;
};

/* What is done with some packets for one destination: disjoint from all others of that list. */
struct plan_box {
	uint32_t dst; /* a number of plan.named; in a wide part of plan.wide, in one by list that of a list */
	struct service service;
	uint32_t rule; /* index in plan.rules */
};

/* Where destinations overlap in too many ways to number every combination (devices with several tags each), an address
 * is known by the lists that hold it instead: numbering i has the i-th of them, and a packet is looked up in all. Only
 * for rules that accept: which of several that accept a packet is found first makes no difference. */
struct plan_members {
	const struct plan_dsts *levels; /* .dst is the number of a list; .ids are the lists', the same in all levels */
	uint32_t n_levels;
};

/* Boxes that several classes have in common, stored once: those of rules with wide destinations (`*`,
 * autogroup:internet, countries), and those by list. */
struct plan_part {
	uint32_t id;		      /* in the kernel's names, see plan_keep_ids() */
	const struct plan_box *boxes; /* sorted by destination, protocol, port */
	uint32_t n_boxes;
};

/* Sources (addresses of devices) that are treated alike: most often all of a device, but a rule may name one address of
 * it. What is not about addresses of destinations is the same for all sources of a device. A packet to a device of the
 * same user is looked up in .self first, then every packet in .boxes, then in .wide: each has what is decided by its
 * own rules before those behind it. Then in .members, which only accepts. */
struct plan_class {
	uint32_t id;		      /* in the kernel's maps and names: from 1 on, see plan_keep_ids() */
	const struct plan_box *boxes; /* by number of plan.named; sorted by destination, protocol, port */
	uint32_t n_boxes;
	const struct plan_box *self; /* autogroup:self; the same way */
	uint32_t n_self;
	const struct plan_part *wide;	 /* of plan.parts; NULL: none */
	const struct plan_part *members; /* the same, by list */
	const uint32_t *name_rules;	 /* accepting rules with names, indices in plan.rules, ascending */
	uint32_t n_name_rules;
	bool quarantined; /* not active: nothing passes, not even DNS */
	bool resolve_first;
	bool record_flows; /* conntrack may emit events */
};

struct plan_device {
	const char *name;
	const struct ip_addr *addrs;
	uint32_t n_addrs;
	const struct ip_prefix *routes; /* approved subnet routes */
	uint32_t n_routes;
	const char *user;	 /* NULL when tagged */
	const char *const *tags; /* NULL-terminated */
	const char *key;	 /* tunnel public key, base64; NULL when there is none */
	enum device_state state;
	uint32_t view_id; /* index in plan.views */
	uint32_t user_no; /* of an active device with a user: index in plan.user_ids + 1, for autogroup:self; else 0 */
	enum log_level flows, queries;
};

enum block_mode {
	BLOCK_NULL = 0,
	BLOCK_NXDOMAIN,
	BLOCK_NODATA,
	BLOCK_REFUSED,
	BLOCK_CUSTOM, /* addresses of the policy's choice */
	BLOCK_DROP,   /* no answer at all */
	BLOCK_MODE_MAX
};

/* Why, as clients are told in EDE (RFC 8914 4.16 to 4.18). */
enum block_reason {
	BLOCK_REASON_BLOCKED = 0, /* the operator's choice */
	BLOCK_REASON_CENSORED,	  /* imposed on the operator by others */
	BLOCK_REASON_FILTERED,	  /* asked for by the client's own user */
	BLOCK_REASON_MAX
};

#define BLOCK_TTL_S	10u    /* where the policy names none: who unblocks a name does not wait long */
#define BLOCK_TTL_MAX_S 86400u /* a day: clients go on by it after the policy has changed */

/* Where custom answers have their addresses. */
enum block_addr { BLOCK_ADDR_V4 = 0, BLOCK_ADDR_V6, BLOCK_ADDR_MAX };

/* What a client sees of DNS. Devices with the same filter, name rules and log level share a view. */
struct plan_view {
	const char *filter_pos; /* "/dns/filters/0"; NULL = no filter matched, everything passes */
	const uint32_t *lists;	/* indices in plan.lists */
	uint32_t n_lists;
	const char *const *block; /* rules written in the filter itself: list syntax, NULL-terminated */
	const char *const *allow; /* the same, exceptions */
	enum block_mode block_mode;
	struct ip_addr block_addrs[BLOCK_ADDR_MAX]; /* of BLOCK_CUSTOM; IP_NONE: that family has none */
	enum block_reason block_reason;
	uint32_t block_ttl_s;
	const uint32_t *safe; /* indices in plan.lists: their rewrites hold for names that pass otherwise */
	uint32_t n_safe;
	bool resolve_first;
	const uint32_t *grants; /* rules with names that accept: their answers are learned */
	uint32_t n_grants;
	const uint32_t *denies; /* rules with names that refuse */
	uint32_t n_denies;
	const uint32_t *deny_addrs; /* rules that close addresses (.closed) */
	uint32_t n_deny_addrs;
	uint32_t route; /* index in plan.routes */
	enum log_level queries;
	bool record_flows; /* names are sent to the recorder as evidence */
};

struct plan_list {
	const char *name;
	const char *file;   /* as written in the policy, relative to it; NULL when only a URL was given */
	const char *url;    /* or NULL */
	const char *sha256; /* what the text must have: 64 digits in lower case; NULL: whatever it has */
	uint32_t refresh_s; /* the URL is asked so often; 0 = never */
	bool trusted;	    /* it may redirect, not only block */
	bool builtin;	    /* Sluice's own, without file and URL: catalogue_text() has it (policy/catalogue.h) */
};

#define PLAN_LISTS_MAX 64u /* of a gateway: filter/listfile.h's LISTS_MAX */

#define LIST_REFRESH_S	   86400u /* where the policy names none: as most lists are published */
#define LIST_REFRESH_MAX_S 31536000u
#define LIST_REFRESH_MIN_S 3600u /* so often is welcome at those who publish lists */

enum upstream_kind { UPSTREAM_RECURSIVE = 0, UPSTREAM_UDP, UPSTREAM_TLS };

struct plan_upstream {
	enum upstream_kind kind;
	struct ip_addr addr;
	uint16_t port;
	const char *tls_name; /* certificate name, or NULL */
};

struct plan_split {
	struct dname suffix;
	const struct plan_upstream *upstreams;
	uint32_t n_upstreams;
};

/* Who is asked for what: upstreams, and suffixes with upstreams of their own. Views with the same share a route. */
struct plan_route {
	const struct plan_upstream *upstreams; /* none: the host's settings decide, else recursive */
	uint32_t n_upstreams;
	const struct plan_split *splits;
	uint32_t n_splits;
};

#define PLAN_ROUTES_MAX 16u /* of a gateway: each has its own resolver in each worker */

#define RECORD_TTL_S	   300u /* where the policy names none: it changes with the policy, clients may lag so long */
#define RECORD_TTL_MAX_S   604800u /* a week, as resolvers cut what is longer (RFC 8767 4) */
#define RECORD_DATA_MAX	   1024u   /* bytes of one record's data: some of them fit into an answer by UDP */
#define RECORD_ALIASES_MAX 12u	   /* one behind the other, as of upstreams (CNAME_CHAIN_MAX) */

enum record_type {
	RECORD_A = 1,
	RECORD_CNAME = 5,
	RECORD_PTR = 12,
	RECORD_MX = 15,
	RECORD_TXT = 16,
	RECORD_AAAA = 28,
	RECORD_SRV = 33,
	RECORD_NAPTR = 35,
	RECORD_SSHFP = 44,
	RECORD_TLSA = 52,
	RECORD_CAA = 257,
};

/* A record of the policy's own. */
struct plan_record {
	struct dname name;
	bool below; /* "*.name": what is below it and has no record of its own nearer to it (RFC 4592 3.3.1) */
	uint16_t type;
	uint32_t ttl_s;
	struct ip_addr addr; /* of A and AAAA; else IP_NONE */
	const uint8_t *data; /* of the others: wire form, names without pointers */
	uint16_t data_len;
	const char *text; /* of the others, for people: "10 mail.home.arpa." */
};

/* An address of a device: where packets come from. */
struct plan_addr {
	struct ip_addr addr;
	uint32_t device;   /* index in plan.devices */
	uint32_t class_id; /* index in plan.classes */
};

struct plan {
	struct arena *mem;
	const struct plan_rule *rules;
	uint32_t n_rules;
	const struct plan_class *classes;
	uint32_t n_classes;
	struct plan_dsts named, wide; /* two numberings: wide rules do not cut the destinations that others name */
	struct plan_members members;
	const struct plan_part *parts;
	uint32_t n_parts;
	const uint32_t *user_ids; /* of each user with active devices, in the kernel's maps: from 1 on */
	uint32_t n_users;
	const struct plan_device *devices; /* sorted by first address */
	uint32_t n_devices;
	const struct plan_addr *addrs; /* every address of every device, sorted */
	uint32_t n_addrs;
	const uint32_t *by_mark; /* indices of all n_rules rules, sorted by mark */
	const struct plan_view *views;
	uint32_t n_views;
	const struct plan_list *lists;
	uint32_t n_lists;
	const struct plan_route
		*routes; /* at least one: the first is that of devices whose filter has none of its own */
	uint32_t n_routes;
	const struct plan_record *records; /* sorted by name */
	uint32_t n_records;
	struct dname domain;		  /* active devices are NAME.domain; .len 0: they have no names */
	const struct dname *rebind_allow; /* at and below these private addresses are answered; sorted */
	uint32_t n_rebind_allow;
	bool canaries;	       /* clients are told not to go to resolvers of their own */
	int64_t next_change_s; /* Unix time at which a schedule begins or ends; 0 = none does */
};

struct plan *plan_free(struct plan *p); /* the arena with it; NULL is fine; returns NULL */
void plan_freep(struct plan **p);

/* Borrowed from @p, NULL when no device has that address. */
const struct plan_addr *plan_addr_find(const struct plan *p, const struct ip_addr *addr);
const struct plan_device *plan_device_find(const struct plan *p, const struct ip_addr *addr);
/* Borrowed; NULL when no rule has that mark. */
const struct plan_rule *plan_rule_by_mark(const struct plan *p, uint32_t mark);
/* Number of the destination, or PLAN_NO_DST. O(log n). */
#define PLAN_NO_DST UINT32_MAX
uint32_t plan_dst_find(const struct plan_dsts *d, const struct ip_addr *dst);
/* Is @addr one of a device of this user (plan_device.user_no; 0 is nobody)? O(log n). */
bool plan_user_has(const struct plan *p, uint32_t user_no, const struct ip_addr *addr);
/* The box that decides about a packet of @src, borrowed; NULL when none does. Names are another matter. O(log n). */
const struct plan_box *plan_box_find(const struct plan *p, const struct plan_addr *src, const struct ip_addr *dst,
				     uint8_t proto, uint16_t port);
/* Give classes, parts, destinations and users of @to, which is not in use yet, the ids of those of @from that they came
 * from, by most devices or addresses in common, so that the difference between their kernel programs is what has
 * changed and nothing else: one that comes or goes does not rename the others. 0 or -ENOMEM, with @to as it was. */
int plan_keep_ids(struct plan *to, const struct plan *from);
/* Every flow, begun and to come, is judged by the one as by the other. O(size). */
bool plan_same_flows(const struct plan *a, const struct plan *b);
/* "A 192.0.2.1", "MX 10 mail.home.arpa." (cut to fit). Returns @buf. Type as a number where it is none of ours. */
#define RECORD_TEXT_MAX (RECORD_DATA_MAX * 4 + 16)
const char *plan_record_print(const struct plan_record *r, char buf[RECORD_TEXT_MAX]);
/* "A", "MX"; NULL when it is none of enum record_type. */
const char *record_type_name(uint16_t type);
/* Some view closes addresses that a source has. */
bool plan_closes_sources(const struct plan *p);
/* The rule opens this protocol and port toward an address learned for it. */
bool plan_rule_serves(const struct plan_rule *r, uint8_t proto, uint16_t port);
