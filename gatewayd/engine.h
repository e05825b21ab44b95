/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is in force, and how it is replaced. The engine holds the running plan and everything made of it: the kernel's
 * program, the compiled lists, the views and the log plan that children work by.
 *
 * A reload (architecture.md, "Reload") builds all of it beside what runs; until the kernel has taken the new program a
 * failure changes nothing. One reload at a time; those asked for meanwhile become one more. */
#pragma once

#include "gatewayd/barrier.h"
#include "gatewayd/cookie_keys.h"
#include "gatewayd/dns_tls.h"
#include "gatewayd/downloads.h"
#include "gatewayd/drops.h"
#include "gatewayd/listen.h"
#include "gatewayd/lists.h"
#include "gatewayd/load.h"
#include "gatewayd/netfilter.h"
#include "gatewayd/nft_learn.h"
#include "gatewayd/overrides.h"
#include "gatewayd/query_channels.h"
#include "gatewayd/refresh.h"
#include "gatewayd/revocation.h"
#include "gatewayd/supervise.h"
#include "gatewayd/sysctl.h"
#include "policy/lower_nft.h"

#include <sys/queue.h>

struct event;

#define LISTS_COMPILE_TIMEOUT_S 60 /* ten million names take some 20 s on a slow router */
#define VIEWS_READY_TIMEOUT_S	5  /* after that the reload is reported as done all the same: the kernel is */

struct running {
	struct loaded *loaded;
	struct nft_prog *prog;
	struct lists *lists;
	uint64_t generation;  /* 0: nothing is in force yet */
	int views_fd, log_fd; /* sealed memfds */
};

struct reload_result {
	bool ok;
	uint64_t generation;
	uint32_t ops;
	struct cuts cuts;
	const char *text; /* diagnostics, when not ok; borrowed */
};

typedef void (*reload_fn)(void *arg, const struct reload_result *result);

struct reload_waiter {
	reload_fn fn;
	void *arg;
	STAILQ_ENTRY(reload_waiter) next;
};

STAILQ_HEAD(reload_waiters, reload_waiter);

/* What a reload reads; what is not read stays as it is in force. */
enum reload_what {
	RELOAD_NOTHING = 0, /* what is in force is compiled again: for an address that came, a time that is over */
	/* Devices only, under the policy in force: a quarantine must not wait for a policy file to be mended, nor put
	 * into force what somebody is writing there. */
	RELOAD_DEVICES,
	RELOAD_DATA, /* databases, address lists and block lists that the policy in force asks for */
	RELOAD_FILES,
};

enum reload_stage { RELOAD_IDLE = 0, RELOAD_PREFIXES, RELOAD_LISTS, RELOAD_VIEWS };

struct reload {
	enum reload_stage stage;
	enum reload_what what;
	struct reload_waiters waiters; /* of this reload */
	struct loaded *loaded;
	struct prefixes *prefixes; /* that .loaded is to be compiled with */
	struct lists *lists;
	int list_fd;  /* what listc writes into; -1 */
	bool applied; /* the files were wrong: .loaded is what was in force before */
	struct reload_result result;
	struct event *timeout;
};

struct dns_waiter; /* of command_dns.c: a client that waits for dnsd */
TAILQ_HEAD(dns_waiters, dns_waiter);

struct lists_waiter; /* of command_lists.c: a client that waits for downloads */
TAILQ_HEAD(lists_waiters, lists_waiter);

struct tap;
struct drops_waiter; /* of command_drops.c: a client that waits for the next refused packet */
TAILQ_HEAD(drops_waiters, drops_waiter);

struct engine_counts {
	uint64_t learn_requests, learn_failed, names_dropped, reloads, reloads_failed, repairs;
};

struct engine {
	struct event_base *base;
	const struct gateway_config *config;
	struct nft_channel *nft;
	struct netfilter netfilter;
	struct conntrack *ct;
	struct learned *learned;
	struct listeners listeners;
	struct dns_certs certs;
	struct sysctls sysctls, forwarding; /* forwarding only in netfilter mode on */
	struct cookie_keys cookie_keys;
	struct supervisor *children;
	struct barrier *barrier;
	struct query_channels queries;
	int ct_events_fd; /* kept, so that events wait while the recorder is replaced */
	int drops_fd;	  /* the same; -1: refused packets are not told of, .drops_error says why */
	struct err drops_error;
	struct drops *drops;
	struct drops_waiters drops_waiters;
	struct dns_waiters dns_waiters;
	uint64_t dns_req_id; /* of the last request to dnsd */
	struct tap *tap;     /* NULL: no dns.dnstap in gateway.hujson */
	uint64_t started_us, generation;
	struct running now;
	struct reload reload;
	struct reload_waiters queued; /* for the reload after this one */
	bool again;		      /* there is one */
	enum reload_what again_what;
	struct revocation_state revocation;
	char *start_error;	     /* the files are wrong, and what was in force before is again */
	char *last_error;	     /* of the last reload; NULL: it was fine */
	enum reload_what error_what; /* which that was */
	struct refresh refresh;
	struct downloads downloads;
	struct lists_waiters lists_waiters;
	bool lists_kept_waits; /* listc still writes the copy for the next start */
	struct engine_counts counts;
	struct msg_anchor anchor; /* what dnsd has said last */
	struct overrides overrides;
	struct event *overrides_ev; /* the next of them is over, or the clock was set */
	int overrides_fd;
	struct event *tick, *attached_changed, *attached_settled;
	int attached_fd, lock_fd;
	uint32_t egress_down; /* a bit for each way out whose interface is not there */
	int exit_code;
};

/* Everything that needs privileges: sockets, directories, the launcher. Then the process keeps CAP_NET_ADMIN. */
int engine_open(struct engine *e, struct event_base *base, const struct gateway_config *config, struct err *err);
/* Children end; the table, the tunnel and its peers stay; sysctls are put back. */
void engine_close(struct engine *e);

/* @fn (may be NULL) is told the result. 0, -ENOMEM. */
int engine_reload(struct engine *e, enum reload_what what, reload_fn fn, void *arg);
/* Views with the overrides of now, by a reload of what is in force, which waits for nothing. @fn may be NULL. 0,
 * -ENOMEM. */
int engine_overrides(struct engine *e, reload_fn fn, void *arg);
/* Another netfilter mode, by a reload of what is in force. */
int engine_netfilter(struct engine *e, enum netfilter_mode mode, reload_fn fn, void *arg);
/* For feed.c: what the children say. */
void engine_lists_result(struct engine *e, const struct msg_list_result *result);
void engine_prefix_result(struct engine *e, const struct msg_prefix_result *result);
/* The lists of the reload as a gatewayd before us has left them compiled; false: they must be compiled. */
bool engine_lists_reuse(struct engine *e);
int engine_lists_counted(struct engine *e, const struct msg_list_counts *counts);
void engine_lists_kept(struct engine *e, const struct msg_list_kept *kept);
void engine_lists_lost(struct engine *e); /* the list compiler has ended; it may have owed a result */
void engine_views_ready(struct engine *e, uint64_t generation);

/* Routes and routing rules of the ways out, as they should be; tells the log which have come and gone. 0 or negative:
 * what is marked for a way might take another. */
int engine_egress(struct engine *e, struct err *err);
uint64_t boot_us(void); /* CLOCK_BOOTTIME */
