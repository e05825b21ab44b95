/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The three configuration files as typed data: checked in themselves and against each other, names not yet resolved to
 * addresses. Everything keeps its place in the text. All in one arena. */
#pragma once

#include "policy/egress.h"
#include "policy/hujson.h"
#include "sluice/plan.h"

enum selector_kind {
	SEL_ANY = 0,  /* * */
	SEL_USER,     /* ana@example.com */
	SEL_GROUP,    /* group:family */
	SEL_TAG,      /* tag:server */
	SEL_PREFIX,   /* address or CIDR; a host alias is resolved to this, .text keeps the alias */
	SEL_INTERNET, /* autogroup:internet */
	SEL_SELF,     /* autogroup:self */
	SEL_MEMBER,   /* autogroup:member: all untagged devices */
	SEL_TAGGED,   /* autogroup:tagged */
	SEL_DNS,      /* dns:name, dns:*.name */
	SEL_NOBODY,   /* accepted by the grammar, matched by no device here (autogroup:owner and such): reported once */
	SEL_RANGES,   /* ipset:n, resolved: .ranges, and .wide for what came of autogroup:internet */
	SEL_DOMAIN,   /* user:*@example.com: users whose name ends in .name ("@example.com") */
	SEL_LOADED,   /* geo:XX, asn:N, iplist:NAME: .need says whose ranges; wide, so that guards narrow them */
	SEL_KIND_MAX
};

/* Ranges that no policy file holds: whoever compiles supplies them (struct prefix_source in compile.h). */
enum prefix_kind { PREFIX_GEO = 0, PREFIX_ASN, PREFIX_LIST, PREFIX_KIND_MAX };

struct doc_need {
	enum prefix_kind kind;
	const char *key;  /* "KP", "64496", "drop" */
	const char *text; /* "geo:KP" */
	struct span span; /* where it is named first */
};

/* One step of an ipset that holds such ranges, and therefore cannot be resolved while reading. In order: what is added
 * later is in, what is removed is out, whichever way it came in. */
struct set_step {
	bool remove, loaded;
	const struct ip_range *named, *wide; /* as in struct selector; sorted, disjoint */
	uint32_t n_named, n_wide;
	uint32_t need;		       /* .loaded: of these ranges, which are wide */
	const struct set_step *nested; /* of another such ipset, or NULL */
	uint32_t n_nested;
};

struct selector {
	enum selector_kind kind;
	const char *text; /* as written, trimmed */
	struct span span;
	const char *name; /* user, "group:x", "tag:x" */
	struct ip_prefix prefix;
	struct name_pattern dns;
	const struct ip_range *ranges; /* SEL_RANGES: sorted, disjoint; named by the user, as SEL_PREFIX is */
	uint32_t n_ranges;
	const struct ip_range
		*wide; /* SEL_RANGES: the part that is wide, as SEL_INTERNET is: the LAN guard covers it */
	uint32_t n_wide;
	const struct set_step
		*steps; /* SEL_RANGES: not NULL = these make it (destinations only), .ranges and .wide are empty */
	uint32_t n_steps;
	uint32_t need; /* SEL_LOADED: index in doc_policy.needs */
};

#define DAY_MINUTES 1440

/* "Mon-Fri 22:00-06:00 Europe/Paris": from .from on each of these days for .minutes, by the clocks of that zone. */
struct doc_schedule {
	uint8_t days;	  /* bit 0 = Sunday */
	uint16_t from;	  /* minute of the day, 0-1439 */
	uint16_t minutes; /* 1-1440 */
	uint32_t zone;	  /* index in doc_policy.zones */
};

/* When a rule or filter is in force; n = 0: always. One of them is enough. */
struct doc_when {
	const struct doc_schedule *items;
	uint32_t n;
};

struct doc_zone {
	const char *name;
	struct span span; /* where it is named first */
};

struct doc_dst {
	struct selector sel;
	const struct service *services; /* ACL: of this destination; grants and denies: of the rule (shared) */
	uint32_t n_services;
};

enum rule_section { SECTION_ACLS = 0, SECTION_GRANTS, SECTION_DENIES, SECTION_MAX };

/* An entry of acls, grants or denies, brought to one form. Services are complete: implied ICMP is in them (syntax.md
 * 3.1.4, 3.1.5), so that nothing behind this knows which section a rule came from but for deny. */
struct doc_rule {
	enum rule_section section;
	uint32_t index; /* in its section: "/grants/0" */
	struct span span;
	const struct selector *srcs;
	uint32_t n_srcs;
	const struct doc_dst *dsts;
	uint32_t n_dsts;
	bool reject;		/* denies only */
	const char *const *via; /* grants only: tags, NULL-terminated; NULL = whichever way it goes */
	const char *egress;	/* grants only: by which way out of the gateway; NULL = the host's own */
	struct span egress_span;
	struct doc_when when;
};

struct doc_group {
	const char *name; /* with "group:" */
	struct span span;
	const char *const *members; /* NULL-terminated users */
};

struct doc_tag {
	const char *name; /* with "tag:" */
	struct span span;
};

struct doc_host {
	const char *name;
	struct ip_prefix prefix;
	bool is_cidr; /* written with a length */
	struct span span;
};

struct doc_filter {
	struct span span;
	const struct selector *srcs;
	uint32_t n_srcs;
	const uint32_t *lists; /* "block" entries that name a list: indices in doc_policy.lists */
	uint32_t n_lists;
	const char *const *block_rules; /* "block" entries in list syntax ("||x^"); NULL-terminated */
	const char *const *allow_rules; /* "allow" entries */
	const uint32_t *safe;		/* "safeSearch": the same, lists of rewrites */
	uint32_t n_safe;
	enum block_mode block_mode;
	struct ip_addr block_addrs[BLOCK_ADDR_MAX]; /* of BLOCK_CUSTOM */
	enum block_reason block_reason;
	uint32_t block_ttl_s;
	bool resolve_first;
	const struct plan_upstream *upstreams; /* in place of the policy's; none: those */
	uint32_t n_upstreams;
	const struct plan_split *splits; /* beside the policy's; of the same suffix these */
	uint32_t n_splits;
	uint32_t route; /* of both: index in doc_policy.routes */
	struct doc_when when;
};

struct doc_log {
	struct span span;
	const struct selector *srcs;
	uint32_t n_srcs;
	enum log_level flows, queries;
	bool has_flows, has_queries;
};

struct doc_test_target {
	const char *text; /* as written */
	struct span span;
	struct selector sel; /* destination, SEL_DNS for dns:name */
	uint16_t port;
};

struct doc_test {
	struct span span;
	struct selector src;
	uint8_t proto; /* 0 = none given: TCP or UDP */
	int64_t at_s;  /* "at": Unix time to judge schedules by; 0 = none given */
	const struct doc_test_target *accept, *deny;
	uint32_t n_accept, n_deny;
	const struct doc_test_target *dns_block, *dns_pass; /* .text is the name, .sel.dns.name parsed */
	uint32_t n_dns_block, n_dns_pass;
};

/* What comes of a login. */
enum ssh_answer { SSH_DENY = 0, SSH_ACCEPT, SSH_CHECK, SSH_ANSWER_MAX };

/* A user of a host, or autogroup:nonroot, or localpart:*@domain. */
struct doc_ssh_user {
	const char *text;
	struct span span;
};

struct doc_ssh_users {
	const struct doc_ssh_user *items;
	uint32_t n;
};

/* An entry of ssh: asked by ssh_tests, and by nothing else, as no gateway sees a login. */
struct doc_ssh_rule {
	struct span span;
	enum ssh_answer answer; /* SSH_ACCEPT or SSH_CHECK */
	const struct selector *srcs;
	uint32_t n_srcs;
	const struct selector *dsts;
	uint32_t n_dsts;
	struct doc_ssh_users users;
	bool has_posture; /* asks for one, and none is known: matches nobody */
};

struct doc_ssh_test {
	struct span span;
	struct selector src;
	const struct selector *dsts; /* as of rules, or one address of IPv4 */
	uint32_t n_dsts;
	struct doc_ssh_users logins[SSH_ANSWER_MAX]; /* by what is expected for them */
};

struct doc_policy {
	const struct source *src;
	bool allow_all;		      /* neither acls nor grants present: syntax.md 3.1.2 */
	const struct doc_rule *rules; /* all sections, in the order acls, grants, denies */
	uint32_t n_rules;
	const struct doc_group *groups; /* these three sorted by name */
	uint32_t n_groups;
	const struct doc_tag *tags;
	uint32_t n_tags;
	const struct doc_host *hosts;
	uint32_t n_hosts;
	const struct plan_list *lists;
	uint32_t n_lists;
	const struct plan_upstream *upstreams;
	uint32_t n_upstreams;
	const struct plan_split *splits;
	uint32_t n_splits;
	const struct plan_route *routes; /* each once; the first is .upstreams and .splits */
	uint32_t n_routes;
	const struct plan_record *records;
	uint32_t n_records;
	struct dname domain; /* .len 0: none */
	const struct dname *rebind_allow;
	uint32_t n_rebind_allow;
	bool canaries;
	const struct doc_filter *filters;
	uint32_t n_filters;
	const struct doc_log *logs;
	uint32_t n_logs;
	const struct doc_test *tests;
	uint32_t n_tests;
	const struct doc_ssh_rule *ssh_rules;
	uint32_t n_ssh_rules;
	const struct doc_ssh_test *ssh_tests;
	uint32_t n_ssh_tests;
	const struct plan_list *iplists;
	uint32_t n_iplists;
	const struct doc_need *needs; /* each once */
	uint32_t n_needs;
	const struct doc_zone *zones; /* of all schedules, each once */
	uint32_t n_zones;
};

struct doc_device {
	const char *name;
	struct span span;
	const struct ip_addr *addrs;
	uint32_t n_addrs;
	const char *user;
	const char *const *tags; /* NULL-terminated */
	const char *key;
	const struct ip_prefix *routes;
	uint32_t n_routes;
	int64_t expires_s; /* Unix time; 0 = never. Whoever compiles compares it with the time that it was given */
	enum device_state state;
};

struct doc_devices {
	const struct source *src;
	const char *const *users; /* NULL-terminated */
	const struct doc_device *devices;
	uint32_t n_devices;
};

struct doc_tunnel {
	const char *interface;
	bool existing; /* somebody else's (tailscale0): not configured by us */
	uint16_t listen_port;
	const char *private_key_file;
	const struct ip_prefix *addresses; /* this gateway's, host bits kept in .addr */
	uint32_t n_addresses;
	uint32_t mtu;
};

/* How much of netfilter is ours, as Tailscale names it (tailscale(1), --netfilter-mode). */
enum netfilter_mode {
	NETFILTER_ON = 0,   /* the table is made, and decides */
	NETFILTER_NODIVERT, /* the table is made, its chains hang on no hook: nothing is decided */
	NETFILTER_OFF,	    /* no table */
	NETFILTER_MODE_MAX
};
const char *netfilter_mode_name(enum netfilter_mode mode); /* "on", "nodivert", "off" */
/* 0 or -EINVAL. */
int netfilter_mode_parse(const char *name, enum netfilter_mode *ret);

#define DOC_LISTEN_MAX 16u /* a host's addresses, both families; each is two sockets for each worker */
#define DOC_CERTS_MAX  4u  /* one is usual, two while a name changes */

/* What DNS over TLS is offered with: files in PEM. */
struct doc_cert {
	const char *certificate, *key;
	const char *name; /* that it is for: told to clients (RFC 9462); or NULL */
};

/* Where dnsd takes questions beside the tunnel's addresses. */
struct doc_listen {
	struct ip_addr addr; /* may be 0.0.0.0 or ::, all addresses */
	uint16_t port;
	uint8_t tls; /* number of the certificate, from 1: DNS over TLS. 0: plain, UDP and TCP */
};

/* Of one worker of dnsd, a second; 0: no limit (dnsd/ratelimit.h). */
struct doc_rate_limit {
	uint32_t queries, misses, errors;
};

/* gateway.hujson: this host. Paths absolute, or relative to the file's folder (made absolute by who reads the file). */
struct doc_gateway {
	struct doc_tunnel tunnel;
	enum netfilter_mode netfilter; /* at the start */
	bool own_table;		       /* where the kernel can: nobody else may change the table */
	bool gate;		       /* nothing passes without the table (gatewayd/gate.h) */
	uint16_t dns_port;
	uint32_t dns_workers;
	uint32_t dns_cache_mib; /* of each worker */
	bool dns_capture;
	struct doc_rate_limit rate_limit;
	const char *dnstap;	   /* socket of a reader of dnstap, or NULL */
	struct doc_listen *listen; /* beside the tunnel's addresses */
	uint32_t n_listen;
	struct doc_cert certs[DOC_CERTS_MAX]; /* each once */
	uint32_t n_certs;
	uint16_t tls_ports[DOC_LISTEN_MAX]; /* of DNS over TLS on addresses of the tunnel, each once */
	uint32_t n_tls_ports;
	const char *root_hints, *trust_anchor; /* files; NULL = those of the system */
	uint32_t anchor_hold_down_s;	       /* RFC 5011 2.4.1: so long a new key of the root is watched */
	bool dnssec;			       /* what forwarders say is validated, too */
	const char *const *insecure;	       /* names below which nothing is; wellformed; NULL-terminated */
	const struct plan_upstream *upstreams; /* where the policy names none */
	uint32_t n_upstreams;
	const char *policy_file, *devices_file, *state_dir, *run_dir;
	const char *dnsd_user, *recorder_user; /* name or number */
	const char *seal_to;		     /* X25519 public key that the journal is sealed to, or NULL: not sealed */
	const char *country_mmdb, *asn_mmdb; /* or NULL */
	struct egress_list egress;
	const struct ip_prefix *routed; /* whose addresses are the world's: devices leave with them untranslated */
	uint32_t n_routed;
	uint32_t refresh_s; /* databases and lists are looked at so often; 0 = never */
};

/* Each returns NULL when an error was added to @diags; warnings leave a document. @mem: everything, also the result. */
struct doc_policy *document_policy(struct arena *mem, const struct source *src, struct diag_list *diags);
struct doc_devices *document_devices(struct arena *mem, const struct source *src, struct diag_list *diags);
struct doc_gateway *document_gateway(struct arena *mem, const struct source *src, struct diag_list *diags);
/* Across the two files: warnings about tags of devices that the policy does not know, and sources that are nobody's. */
void document_check_devices(const struct doc_policy *p, const struct doc_devices *d, struct diag_list *diags);
