/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every message between the processes: who may send it, how long it may be, how many descriptors come with it. The
 * table is checked by base/ipc.c before any handler runs.
 *
 * One AF_UNIX SOCK_SEQPACKET pair a channel; one message a record; the machine's own byte order, both ends are from one
 * build. What is long (views, lists, log plan) travels as a sealed memfd, so that it is handed over whole or not at
 * all.
 *
 * gatewayd <-> launcher  start and death of children
 * gatewayd <-> dnsd      one control channel, and one learn channel for each worker
 * gatewayd <-> listc     one compilation of block lists or of addresses (dnsd's binary, another role)
 * gatewayd <-> recorder  configuration, plan, names seen (relayed from dnsd); refused packets
 * dnsd -> recorder       one query channel for each worker, made by gatewayd, which keeps both ends
 * gatewayd <-> fetch     one round of downloads */
#pragma once

#include "sluice/addr.h"
#include "sluice/dns_stats.h"
#include "sluice/query_log.h"

enum role {
	ROLE_NONE = 0,
	ROLE_GATEWAYD,
	ROLE_LAUNCHER, /* forks and execs the children; keeps CAP_SETUID, CAP_SETGID, CAP_SETPCAP and nothing to read */
	ROLE_DNSD,
	ROLE_LISTC,
	ROLE_RECORDER,
	ROLE_FETCH, /* downloads; one process a round */
	ROLE_MAX
};

#define MSG_BODY_MAX 66000u /* a DNS message over TCP (65,535) with its frame */
#define MSG_FDS_MAX  4u

#define LEARN_ADDRS_MAX	  64u /* addresses of one answer that are learned; a larger answer is trimmed to them */
#define LEARN_RULES_MAX	  16u /* rules of one view that one name may open */
#define MSG_NAME_TEXT_MAX 1024u

#define DNS_FOUND_ANSWER_MAX 60000u /* of a question asked by an administrator: what is longer has TC */
#define DNS_ENTRIES_MAX	     64u /* told of one name's entries in the cache of one worker: more types than are asked for */

/* X(name, value, from, to, min body, max body, descriptors) */
#define MSG_LIST(X)                                                                                                    \
	X(START, 1, ROLE_GATEWAYD, ROLE_LAUNCHER, sizeof(struct msg_start), sizeof(struct msg_start), 1)               \
	X(STARTED, 2, ROLE_LAUNCHER, ROLE_GATEWAYD, sizeof(struct msg_child), sizeof(struct msg_child), 0)             \
	X(EXITED, 3, ROLE_LAUNCHER, ROLE_GATEWAYD, sizeof(struct msg_child), sizeof(struct msg_child), 0)              \
	X(CONFIG, 8, ROLE_GATEWAYD, ROLE_NONE, 2, MSG_BODY_MAX, 0)                                                     \
	X(LISTEN, 9, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_listen), sizeof(struct msg_listen), 1)                \
	X(WORKER, 10, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_worker), sizeof(struct msg_worker), 1)               \
	X(VIEWS, 11, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_snapshot), sizeof(struct msg_snapshot), 3)            \
	X(VIEWS_READY, 12, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_ready), sizeof(struct msg_ready), 0)            \
	X(ANCHOR, 14, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_anchor), sizeof(struct msg_anchor), 0)               \
	X(COOKIE_KEYS, 15, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_cookie_keys), sizeof(struct msg_cookie_keys),   \
	  0)                                                                                                           \
	X(TLS, 13, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_tls), sizeof(struct msg_tls), 2)                        \
	X(LEARN_ADD, 16, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_learn_add),                                       \
	  sizeof(struct msg_learn_add) + LEARN_RULES_MAX * 4 + LEARN_ADDRS_MAX * sizeof(struct ip_addr), 0)            \
	X(LEARN_ACK, 17, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_learn_ack), sizeof(struct msg_learn_ack), 0)      \
	X(NAME_SEEN, 18, ROLE_NONE, ROLE_NONE, sizeof(struct msg_name_seen),                                           \
	  sizeof(struct msg_name_seen) + MSG_NAME_TEXT_MAX + LEARN_ADDRS_MAX * sizeof(struct ip_addr), 0)              \
	X(DNS_COMMAND, 40, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_dns_command), sizeof(struct msg_dns_command),   \
	  0)                                                                                                           \
	X(DNS_DONE, 41, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_dns_done), sizeof(struct msg_dns_done), 0)         \
	X(DNS_STATS, 42, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_dns_stats), sizeof(struct msg_dns_stats), 0)      \
	X(DNS_UPSTREAM, 43, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_dns_upstream),                                 \
	  sizeof(struct msg_dns_upstream), 0)                                                                          \
	X(DNS_ENTRY, 44, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_dns_entry), sizeof(struct msg_dns_entry), 0)      \
	X(DNS_FOUND, 45, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_dns_found),                                       \
	  sizeof(struct msg_dns_found) + DNS_FOUND_ANSWER_MAX, 0)                                                      \
	X(DNSTAP, 46, ROLE_GATEWAYD, ROLE_DNSD, sizeof(struct msg_worker), sizeof(struct msg_worker), 1)               \
	X(DNSTAP_LOST, 47, ROLE_DNSD, ROLE_GATEWAYD, sizeof(struct msg_worker), sizeof(struct msg_worker), 0)          \
	X(QUERY_LOG, 56, ROLE_GATEWAYD, ROLE_NONE, sizeof(struct msg_worker), sizeof(struct msg_worker), 1)            \
	X(QUERIES, 57, ROLE_DNSD, ROLE_RECORDER, sizeof(struct query_told_head), MSG_BODY_MAX, 0)                      \
	X(CT_EVENTS, 24, ROLE_GATEWAYD, ROLE_RECORDER, 1, 1, 1)                                                        \
	X(LOG_PLAN, 25, ROLE_GATEWAYD, ROLE_RECORDER, sizeof(struct msg_snapshot), sizeof(struct msg_snapshot), 1)     \
	X(DROP_EVENTS, 26, ROLE_GATEWAYD, ROLE_RECORDER, 1, 1, 1)                                                      \
	X(DROP, 27, ROLE_RECORDER, ROLE_GATEWAYD, sizeof(struct msg_drop), sizeof(struct msg_drop), 0)                 \
	X(LIST_SOURCE, 32, ROLE_GATEWAYD, ROLE_LISTC, sizeof(struct msg_list_source), sizeof(struct msg_list_source),  \
	  1)                                                                                                           \
	X(LIST_COMPILE, 33, ROLE_GATEWAYD, ROLE_LISTC, 1, 1, 1)                                                        \
	X(LIST_RESULT, 34, ROLE_LISTC, ROLE_GATEWAYD, sizeof(struct msg_list_result), sizeof(struct msg_list_result),  \
	  0)                                                                                                           \
	X(PREFIX_WANT, 35, ROLE_GATEWAYD, ROLE_LISTC, sizeof(struct msg_prefix_want), sizeof(struct msg_prefix_want),  \
	  0)                                                                                                           \
	X(PREFIX_LIST, 36, ROLE_GATEWAYD, ROLE_LISTC, sizeof(struct msg_prefix_want), sizeof(struct msg_prefix_want),  \
	  1)                                                                                                           \
	X(PREFIX_COMPILE, 37, ROLE_GATEWAYD, ROLE_LISTC, 1, 1, 1)                                                      \
	X(PREFIX_RESULT, 38, ROLE_LISTC, ROLE_GATEWAYD, sizeof(struct msg_prefix_result),                              \
	  sizeof(struct msg_prefix_result), 0)                                                                         \
	X(LIST_COUNTS, 39, ROLE_LISTC, ROLE_GATEWAYD, sizeof(struct msg_list_counts), sizeof(struct msg_list_counts),  \
	  0)                                                                                                           \
	X(LIST_KEEP, 60, ROLE_GATEWAYD, ROLE_LISTC, 1, 1, 1)                                                           \
	X(LIST_KEPT, 61, ROLE_LISTC, ROLE_GATEWAYD, sizeof(struct msg_list_kept), sizeof(struct msg_list_kept), 0)     \
	X(FETCH_WANT, 62, ROLE_GATEWAYD, ROLE_FETCH, sizeof(struct msg_fetch_want), sizeof(struct msg_fetch_want), 1)  \
	X(FETCH_RESULT, 63, ROLE_FETCH, ROLE_GATEWAYD, sizeof(struct msg_fetch_result),                                \
	  sizeof(struct msg_fetch_result), 0)

enum msg_type {
#define MSG_ENUM(name, value, from, to, min, max, fds) MSG_##name = (value),
	MSG_LIST(MSG_ENUM)
#undef MSG_ENUM
};

/* START: exec the binary of this role afresh, with the descriptor as its fd 3 and nothing else open. */
struct msg_start {
	uint32_t role;	 /* enum role: DNSD, LISTC, RECORDER, FETCH */
	uint32_t serial; /* of this start, echoed: a child may be replaced before the launcher has spoken of it */
};

/* STARTED: the child of that role has this pid. EXITED: it is gone; status as of waitpid(2). */
struct msg_child {
	uint32_t role;
	uint32_t serial;
	int32_t pid;
	int32_t status;
};

/* CONFIG: first message to a child, a JSON text (no NUL): what it needs to confine itself and begin.
 *   dnsd:
 * {"uid":64701,"gid":64701,"workers":1,"cacheMiB":16,"state":"/var/lib/sluice/dnsd","rootHints":"/…/root.hints",
 *              "trustAnchor":"/…/root.key","holdDown":2592000,"dnssec":false,"insecure":["corp.example"],
 *              "rateLimit":{"queries":0,"misses":200,"errors":20}}
 *             (all but the first three may be absent: dnsd/roots.h; rateLimit: none)
 *   listc:    {"uid":64701,"gid":64701,"country":"/…/c.mmdb","asn":"/…/a.mmdb"}
 *             (country and asn only where a policy asks for countries or networks: the only files that it may open)
 *   recorder: {"uid":64702,"gid":64702,"journal":"/var/lib/sluice/journal","country":"/…/c.mmdb","asn":"/…/a.mmdb"}
 *             (country and asn absent when there are none; "seal_to": a public key, when the journal is to be sealed)
 *   fetch:    {"uid":64701,"gid":64701}
 */

/* LISTEN: a bound socket for worker number .worker; TCP ones are listening already. Non-blocking. Where .addr is all
 * addresses, datagrams come with the one that they were sent to (IP_PKTINFO). */
struct msg_listen {
	uint32_t worker;
	uint32_t tcp; /* 0 or 1 */
	struct ip_addr addr;
	uint8_t tls; /* number of its certificate (TLS), from 1; 0: plain */
	uint16_t port;
};

/* COOKIE_KEYS: what DNS cookies are made with (RFC 9018): the first makes, all are good. Comes before the sockets, and
 * again when they have changed. */
#define COOKIE_KEY_LEN 16u
struct msg_cookie_keys {
	uint32_t n; /* 1 or 2 */
	uint8_t keys[2][COOKIE_KEY_LEN];
};

/* TLS: a certificate and its key, memfds with PEM text, for the sockets of that number. Comes before those, and again
 * when the files have changed: connections that are open keep what they have. */
struct msg_tls {
	uint32_t number; /* from 1 */
	char name[256];	 /* that it is for; empty: none is to be told */
};

/* WORKER: the learn channel of this worker. */
struct msg_worker {
	uint32_t worker;
};

/* VIEWS: descriptors are memfds: the views (JSON, see policy/lower_dns.h), the compiled lists (filter/listfile.h; of
 * length 0 when there are no lists), and the compiled addresses (geo/prefix_file.h; of length 0 when no rule closes
 * any). LOG_PLAN: the log plan (JSON, see policy/lower_log.h). */
struct msg_snapshot {
	uint64_t generation;
};

/* VIEWS_READY: every worker answers by this generation, no query by an older one is under way at that worker's filter.
 */
struct msg_ready {
	uint64_t generation;
};

/* ANCHOR: how DNSSEC is done, for people. From unprivileged hands: gatewayd shows it, and does nothing by it. */
enum anchor_state {
	ANCHOR_UNUSED = 0, /* no upstreams that are validated */
	ANCHOR_MISSING,	   /* names are resolved from the root, and nothing is validated: no trust anchor */
	ANCHOR_FIXED,	   /* validated by an anchor that is not kept: there is no place for it */
	ANCHOR_KEPT,	   /* validated, and kept by RFC 5011 */
	ANCHOR_STATE_MAX
};

struct msg_anchor {
	uint32_t state;		 /* enum anchor_state */
	uint32_t trusted;	 /* keys */
	uint32_t pending;	 /* keys that are watched, and not trusted yet */
	uint32_t failed;	 /* 0 or 1: the last look at the root's keys */
	uint64_t last_success_s; /* CLOCK_REALTIME; 0 = never looked */
	uint64_t next_probe_s;
};

/* LEARN_ADD: put these addresses into the learned sets of these rules, for this client, before the answer leaves.
 * Followed by uint32_t rules[n_rules] (plan_rule.mark, or LEARN_SEEN), struct ip_addr addrs[n_addrs]. */
struct msg_learn_add {
	uint64_t req_id;     /* sender's choice, echoed */
	uint64_t generation; /* of the views that it was decided by: older ones may not know of a new deny */
	uint32_t ttl_s;	     /* of the answer; the grace is added by gatewayd */
	uint16_t n_rules, n_addrs;
	struct ip_addr client;
	uint8_t unused[7];
};

/* LEARN_ACK: the kernel has acknowledged (status 0), or not: -ESTALE the client or a rule is not in the plan any more,
 * -ENOSPC the client's share of leases is used up, -EIO the kernel refused. */
struct msg_learn_ack {
	uint64_t req_id;
	int32_t status;
	uint32_t unused;
};

/* NAME_SEEN: a recorded client was given these addresses under this name. dnsd -> gatewayd -> recorder, unchanged.
 * Followed by char name[name_len] (presentation form, the name that was asked), struct ip_addr addrs[n_addrs]. */
struct msg_name_seen {
	uint64_t at_us; /* CLOCK_REALTIME */
	uint32_t ttl_s;
	uint16_t name_len, n_addrs;
	struct ip_addr client;
	uint8_t unused[7];
};

/* CT_EVENTS, DROP_EVENTS: the sockets of conntrack's events and of nflog's messages.
 *
 * DROP: a packet that the kernel has refused and told of. From unprivileged hands: gatewayd believes nothing of it. */
struct msg_drop {
	uint32_t reason;  /* enum drop_reason */
	uint32_t mark;	  /* of the rule; DROP_DENY only */
	uint32_t ifindex; /* where it came in; 0: not known */
	uint32_t lost;	  /* messages of the kernel that were lost since the last DROP */
	struct ip_addr src, dst;
	uint8_t proto;
	uint8_t has_ports; /* 0 or 1 */
	uint16_t src_port, dst_port;
};

/* LIST_SOURCE: one list's text, open for reading; its number is that of plan.lists. LIST_KEEP: a file that is to hold a
 * copy of what is compiled, for the next start; sent before LIST_COMPILE, or not at all. LIST_COMPILE: all were sent;
 * the descriptor is the memfd to write the compiled file into. */
struct msg_list_source {
	uint32_t list;
	uint32_t trusted; /* 0 or 1: it may redirect (filter/listparse.h) */
};

/* LIST_COUNTS: what became of the lines of one list; one for each that was sent, before LIST_RESULT. */
struct msg_list_counts {
	uint32_t list, unused;
	uint64_t rules, skipped, refused;
};

/* LIST_RESULT: of all of them. Where a copy is kept, listc goes on to write that. */
struct msg_list_result {
	int32_t status; /* 0 or negative errno */
	uint32_t rules; /* applied */
	uint64_t skipped, refused;
	char text[200]; /* why it failed; NUL-terminated */
};

/* LIST_KEPT: the copy is on the disk. */
#define LIST_SUM_LEN 32u /* BLAKE2b, crypto_generichash */
struct msg_list_kept {
	int32_t status; /* 0 or negative errno */
	uint32_t unused;
	uint64_t len;
	uint8_t sum[LIST_SUM_LEN];
	char text[200]; /* why it failed; NUL-terminated */
};

/* FETCH_WANT: a list to be downloaded, into the descriptor: an empty file. FETCH_RESULT: what became of it. */
#define FETCH_URL_MAX	   2048u /* longer ones are refused by servers, too */
#define FETCH_ETAG_MAX	   256u	 /* a longer one is not kept: the list is fetched whole each time */
#define FETCH_MODIFIED_MAX 64u	 /* a date (RFC 9110, 5.6.7) has 29 bytes */
#define FETCH_SUM_LEN	   32u	 /* SHA-256 */

struct msg_fetch_want {
	uint32_t id; /* sender's choice, echoed */
	uint32_t unused;
	uint64_t size_max; /* bytes, decoded */
	char url[FETCH_URL_MAX];
	char etag[FETCH_ETAG_MAX];	   /* of what we have; empty: none, or it is wanted in any case */
	char modified[FETCH_MODIFIED_MAX]; /* the same: Last-Modified */
};

enum fetch_status { FETCH_FETCHED = 0, FETCH_NOT_MODIFIED, FETCH_FAILED, FETCH_STATUS_MAX };

struct msg_fetch_result {
	uint32_t id;
	uint32_t status; /* enum fetch_status */
	uint32_t http;	 /* code of the last answer; 0: there was none */
	uint32_t unused;
	uint64_t bytes;
	uint8_t sha256[FETCH_SUM_LEN];
	char etag[FETCH_ETAG_MAX];
	char modified[FETCH_MODIFIED_MAX];
	char text[200]; /* why it failed; NUL-terminated, as the others */
};

/* PREFIX_WANT: a country or network, to be read from its database. PREFIX_LIST: an address list, open for reading.
 * PREFIX_COMPILE: all were sent; the descriptor is the memfd to write them into (geo/prefix_file.h). */
struct msg_prefix_want {
	uint32_t kind; /* enum prefix_kind */
	char key[64];  /* "DE", "64496", the list's name; NUL-terminated */
};

struct msg_prefix_result {
	int32_t status;	  /* 0 or negative errno */
	uint32_t refused; /* lines of address lists that could not be read */
	char text[200];	  /* why it failed; else which lines were refused; NUL-terminated */
};

/* DNS_COMMAND: what an administrator wants of dnsd. Answered with rows of one kind, in one piece, and DNS_DONE. */
enum dns_command {
	DNS_COMMAND_STATUS = 0, /* DNS_STATS, and a DNS_UPSTREAM for each upstream of each route */
	DNS_COMMAND_CACHE,	/* a DNS_ENTRY for each that .name (and .type, if not 0) has in each worker's cache */
	DNS_COMMAND_FLUSH,	/* forget .name, or all; DNS_DONE says how many entries there were */
	DNS_COMMAND_LOOKUP,	/* resolve as .client would; DNS_FOUND */
	DNS_COMMAND_MAX
};

#define DNS_FLUSH_ALL	1u /* whatever .name is */
#define DNS_FLUSH_BELOW 2u /* .name and what is below it */
#define DNS_LOOKUP_OPEN 4u /* learn the addresses, as if the device itself had asked; without it nothing is opened */
#define DNS_LOOKUP_CD	8u /* as if it had set CD: what validation refuses, too */

struct msg_dns_command {
	uint64_t req_id; /* sender's choice, echoed in all that answers it */
	uint32_t what;	 /* enum dns_command */
	uint32_t flags;
	struct ip_addr client;
	uint8_t unused[5];
	uint16_t type;
	char name[MSG_NAME_TEXT_MAX]; /* presentation form, NUL-terminated */
};

struct msg_dns_done {
	uint64_t req_id;
	uint64_t count; /* of what was flushed, or found */
	int32_t status; /* 0 or negative errno */
	char text[204]; /* why it failed, or what is to be said; NUL-terminated */
};

struct msg_dns_stats {
	uint64_t req_id;
	uint64_t age_us;     /* since dnsd started */
	uint64_t generation; /* of the views */
	uint32_t workers;
	uint32_t under_way; /* questions */
	uint64_t cache_entries, cache_bytes, cache_limit_bytes;
	struct dns_counts counts;
	struct dns_latency latencies[DNS_STAGE_MAX];
};

enum dns_upstream_state {
	DNS_UPSTREAM_UNKNOWN = 0, /* a resolver's own affair, or not asked yet */
	DNS_UPSTREAM_UP,
	DNS_UPSTREAM_DOWN, /* it has not answered; others are asked first */
	DNS_UPSTREAM_STATE_MAX
};

/* One upstream of one route, over all workers. */
struct msg_dns_upstream {
	uint64_t req_id;
	uint64_t asked, failed; /* questions since the route was made */
	uint32_t route;
	uint32_t state;	       /* enum dns_upstream_state: down when it is so at any worker */
	uint32_t workers_down; /* at how many */
	uint32_t rtt_us;       /* smoothed, the least of all workers; 0: not known */
	uint32_t kind;	       /* enum upstream_kind */
	uint16_t port;
	struct ip_addr addr;
	uint8_t unused[1];
	char suffix[MSG_NAME_TEXT_MAX]; /* of the split; "." for the route's own */
	char tls_name[256];		/* or "" */
};

/* One entry of one worker's answer cache. */
struct msg_dns_entry {
	uint64_t req_id;
	uint64_t hits;
	uint32_t worker;
	uint32_t route;
	int32_t ttl_s; /* that is left; negative: over since */
	uint32_t bytes;
	uint16_t type;
	uint8_t rcode;
	uint8_t secure, dnssec_ok, checking_disabled; /* 0 or 1 */
	uint8_t unused[2];
	char name[MSG_NAME_TEXT_MAX];
};

/* What became of a question, followed by the answer, a DNS message of answer_len bytes (0: there is none). */
struct msg_dns_found {
	uint64_t req_id;
	uint64_t took_us;
	uint32_t outcome; /* enum dns_outcome */
	uint32_t route;	  /* that was, or would have been asked */
	uint32_t line;	  /* of .list */
	uint32_t worker;
	int32_t ede; /* INFO-CODE of RFC 8914, or -1 */
	uint32_t answer_len;
	char device[256];		/* whose view decided; "" when the client is nobody's */
	char suffix[MSG_NAME_TEXT_MAX]; /* of the split that the name belongs to, or "" */
	char list[128]; /* that blocked it or excepted it; "" none: the policy's own are "policy" and "filter" */
	char rule[304];
	char text[404]; /* beside .ede */
};

/* DNSTAP: a connection to the reader of dnstap for this worker. DNSTAP_LOST: it is closed, another one is wanted. */

/* QUERY_LOG: that worker's channel to the recorder, to dnsd its end for sending and to the recorder its end for
 * reading. The same pair as long as gatewayd lives: what was sent waits in it while the recorder is started again.
 *
 * QUERIES: see sluice/query_log.h. */
