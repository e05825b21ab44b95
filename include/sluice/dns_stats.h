/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What dnsd counts, and how it is named wherever it is shown. Each list is the only place of its members. */
#pragma once

#include "base/base.h"

/* How a question ended: exactly one for each question that came, so that they add up to the questions (those still
 * under way are the rest). */
#define DNS_OUTCOME_LIST(X)                                                                                            \
	X(CACHED, "cached")	  /* from the answer cache */                                                          \
	X(STALE, "stale")	  /* from the cache, over its time: RFC 8767 */                                        \
	X(RESOLVED, "resolved")	  /* by an answer that a resolver gave to it */                                        \
	X(COALESCED, "coalesced") /* by an answer that a resolver gave to an equal question before it */               \
	X(BLOCKED, "blocked")                                                                                          \
	X(REWRITTEN, "rewritten")	    /* a rule of a list or a filter says something else */                     \
	X(LOCAL, "local")		    /* the policy's records, devices' names */                                 \
	X(SPECIAL, "special")		    /* names and types that are never asked of an upstream */                  \
	X(REFUSED, "refused")		    /* no device, or nothing that we do */                                     \
	X(MALFORMED, "malformed")	    /* answered with an error, or not at all */                                \
	X(REBIND, "rebind")		    /* a private address from a public name */                                 \
	X(BOGUS, "bogus")		    /* DNSSEC says that it is forged */                                        \
	X(SERVFAIL, "servfail")		    /* the resolver had no answer */                                           \
	X(TIMED_OUT, "timed_out")	    /* no upstream answered in time */                                         \
	X(NOT_READY, "not_ready")	    /* the kernel did not let its addresses through in time */                 \
	X(DROPPED_FULL, "dropped_full")	    /* too many under way at the worker */                                     \
	X(DROPPED_CLIENT, "dropped_client") /* too many under way of that client */                                    \
	X(RATE_LIMITED,                                                                                                \
	  "rate_limited") /* over a limit of rateLimit: dropped, told to prove its address, or SERVFAIL */             \
	X(DROPPED_STRANGER, "dropped_stranger") /* of nobody who is registered, and not worth an answer */             \
	X(DROPPED_RULE, "dropped_rule")		/* blocked, and nothing is said */

enum dns_outcome {
#define DNS_OUTCOME_ENUM(name, text) DNS_OUTCOME_##name,
	DNS_OUTCOME_LIST(DNS_OUTCOME_ENUM)
#undef DNS_OUTCOME_ENUM
		DNS_OUTCOME_MAX
};

/* What happens beside, any number of times a question. */
#define DNS_EVENT_LIST(X)                                                                                              \
	X(PREFETCHED, "prefetched")	    /* asked of a resolver before the cached answer was over */                \
	X(HELD, "held")			    /* answers that waited for the kernel */                                   \
	X(RESTARTED, "restarted")	    /* decided anew: the views had changed */                                  \
	X(TRUNCATED, "truncated")	    /* answers with TC */                                                      \
	X(TRIMMED, "trimmed")		    /* answers of which a forbidden part was left out, and the rest given */   \
	X(REGEX_GIVEN_UP, "regex_given_up") /* regular expressions of lists that took too long on a name */            \
	X(TAP_FRAMES, "dnstap_frames")                                                                                 \
	X(TAP_DROPPED, "dnstap_dropped") /* frames that the reader was too slow for */                                 \
	X(QUERIES_TOLD, "queries_told")	 /* to the recorder, of devices whose queries are recorded */                  \
	X(QUERIES_LOST, "queries_lost")	 /* that the recorder was too slow for */

enum dns_event {
#define DNS_EVENT_ENUM(name, text) DNS_EVENT_##name,
	DNS_EVENT_LIST(DNS_EVENT_ENUM)
#undef DNS_EVENT_ENUM
		DNS_EVENT_MAX
};

#define DNS_TRANSPORT_LIST(X) X(UDP, "udp") X(TCP, "tcp") X(TLS, "tls")

enum dns_transport {
#define DNS_TRANSPORT_ENUM(name, text) DNS_TRANSPORT_##name,
	DNS_TRANSPORT_LIST(DNS_TRANSPORT_ENUM)
#undef DNS_TRANSPORT_ENUM
		DNS_TRANSPORT_MAX
};

/* RCODEs by their number (RFC 6895 2.3); those beyond are one. */
#define DNS_RCODE_LIST(X)                                                                                              \
	X(0, "NOERROR")                                                                                                \
	X(1, "FORMERR") X(2, "SERVFAIL") X(3, "NXDOMAIN") X(4, "NOTIMP") X(5, "REFUSED") X(6, "other")
#define DNS_RCODES	7u
#define DNS_RCODE_OTHER 6u

/* Types that clients ask for daily: X(name, number). */
#define DNS_QTYPE_LIST(X)                                                                                              \
	X(A, 1)                                                                                                        \
	X(NS, 2)                                                                                                       \
	X(CNAME, 5)                                                                                                    \
	X(SOA, 6)                                                                                                      \
	X(PTR, 12)                                                                                                     \
	X(MX, 15)                                                                                                      \
	X(TXT, 16)                                                                                                     \
	X(AAAA, 28) X(SRV, 33) X(NAPTR, 35) X(DS, 43) X(DNSKEY, 48) X(SVCB, 64) X(HTTPS, 65) X(ANY, 255)

enum dns_qtype {
#define DNS_QTYPE_ENUM(name, number) DNS_QTYPE_##name,
	DNS_QTYPE_LIST(DNS_QTYPE_ENUM)
#undef DNS_QTYPE_ENUM
		DNS_QTYPE_OTHER,
	DNS_QTYPE_MAX
};

/* Where time goes. */
#define DNS_STAGE_LIST(X)                                                                                              \
	X(CACHED, "cached") /* from waking for a question to its answer's leaving, of those answered in the same wake  \
			     */                                                                                        \
	X(UPSTREAM, "upstream") /* from asking a resolver to its answer */                                             \
	X(BARRIER, "barrier")	/* from LEARN_ADD to LEARN_ACK */                                                      \
	X(WHOLE, "whole")	/* from reading a question to its answer's leaving, of all */

enum dns_stage {
#define DNS_STAGE_ENUM(name, text) DNS_STAGE_##name,
	DNS_STAGE_LIST(DNS_STAGE_ENUM)
#undef DNS_STAGE_ENUM
		DNS_STAGE_MAX
};

/* Of one stage, in microseconds; quantiles to 1/32 above. */
struct dns_latency {
	uint64_t count, p50_us, p90_us, p99_us, p999_us, max_us;
};

/* Since dnsd started, all workers together. */
#define DNS_LISTS_MAX 64u /* as LISTS_MAX of filter/listfile.h */

struct dns_counts {
	uint64_t outcomes[DNS_OUTCOME_MAX];
	uint64_t events[DNS_EVENT_MAX];
	uint64_t transports[DNS_TRANSPORT_MAX];
	uint64_t rcodes[DNS_RCODES];
	uint64_t qtypes[DNS_QTYPE_MAX];
	uint64_t lists[DNS_LISTS_MAX]; /* answers that a list has decided: blocked or changed; by its number */
};

/* Names of the members, for JSON and people. */
const char *dns_outcome_name(enum dns_outcome o);
const char *dns_event_name(enum dns_event e);
const char *dns_transport_name(enum dns_transport t);
const char *dns_rcode_name(uint32_t i);
const char *dns_qtype_name(enum dns_qtype t);
const char *dns_stage_name(enum dns_stage s);
