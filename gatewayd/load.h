/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files to documents and plan, with everything that is wrong with them as one text for the user. Reads files, changes
 * nothing. */
#pragma once

#include "gatewayd/attached.h"
#include "gatewayd/prefixes.h"
#include "geo/zones.h"
#include "policy/compile.h"

/* gateway.hujson, read once at the start. */
struct gateway_config {
	struct arena *mem;
	const struct doc_gateway *doc;	     /* paths are those to open */
	const struct ip_prefix *tunnel_nets; /* the tunnel's addresses without host bits */
	uint32_t n_tunnel;
	uint32_t dnsd_uid, dnsd_gid, recorder_uid, recorder_gid;
};

/* One reading of policy and devices, or of devices for a policy that was read before. Shared by the plans that were
 * made of it: when addresses or the time change, the same reading is compiled again, whatever a user is writing into
 * the files meanwhile. */
struct documents {
	uint32_t refs;
	struct arena *mem;
	const struct doc_policy *policy;
	const struct doc_devices *devices;
	struct diag_list diags;	     /* of reading; compiling and testing add to them */
	struct documents *policy_of; /* whose memory .policy is in; NULL: ours */
};

struct documents *documents_ref(struct documents *d);
struct documents *documents_unref(struct documents *d);

struct loaded {
	struct documents *docs;
	struct attached attached;
	struct ip_prefix *closed; /* the networks of .attached, and those that are routed to us */
	struct zones zones;
	struct prefixes *prefixes; /* given by load_compile(); NULL before */
	struct compile_env env;	   /* points into .attached, .zones and .prefixes */
	struct plan *plan;	   /* made by load_compile() */
};

/* @ret_text: what is wrong or worth a warning, for the user; returned, free(); NULL when nothing. -EINVAL: see there.
 */
int load_gateway(const char *path, struct gateway_config **ret, char **ret_text, struct err *e);
struct gateway_config *gateway_config_free(struct gateway_config *c);

/* Everything but the plan. @again: this reading once more, or NULL: read the files. @ret: returned, also when it fails
 * with -EINVAL (then for its .docs->diags); loaded_free(). */
int load_policy(const struct doc_gateway *g, struct documents *again, int64_t now_s, struct loaded **ret,
		struct err *e);
/* The same with the policy of @docs, and the devices' file read anew. */
int load_devices(const struct doc_gateway *g, struct documents *docs, int64_t now_s, struct loaded **ret,
		 struct err *e);
/* The plan, with the addresses that the policy asks for (a reference is kept; may be NULL). */
int load_compile(struct loaded *l, struct prefixes *prefixes, struct err *e);
/* What is wrong: diagnostics where there are some (they have places and carets), else @err. @l may be NULL. Returned,
 * free(). */
char *loaded_errors(const struct loaded *l, const struct err *err);
struct loaded *loaded_free(struct loaded *l);
void loaded_freep(struct loaded **l);
/* All diagnostics as text with carets; returned, free(); NULL when there are none (or no memory). */
char *diags_text(const struct diag_list *l);

/* "64701" (uid and gid), or a name. -ENOENT. */
int user_lookup(const char *user, uint32_t *ret_uid, uint32_t *ret_gid, struct err *e);
