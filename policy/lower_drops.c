/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ends of the packets' path. Called by lower_nft.c before the chains that lead here.
 *
 * Whether a refused packet is told of is asked where it is refused, of a set of sources: what is accepted pays nothing,
 * classes need not be told apart by it, and a device that opts in or out changes its own elements. Where nobody has
 * opted in there is no such set and no rule that could tell. Unknown devices and spoofed sources are nobody's, so there
 * is no one to ask; but anybody can send them, so they have a limit of their own and cannot use up that of the devices.
 */
#include "policy/lower_drops.h"

#include <inttypes.h>

#define LIMIT_DEVICES	"limit_devices"
#define LIMIT_STRANGERS "limit_strangers"
#define SET_RECORD4	"record4"
#define SET_RECORD6	"record6"

static const uint8_t families[] = { IP_V4, IP_V6 };

/* Where flows are recorded under pseudonyms, a device's name may not stand beside a destination here either. */
bool drops_level_tells(enum log_level level)
{
	return level == LOG_LEVEL_BLOCKED || level == LOG_LEVEL_COUNTS || level == LOG_LEVEL_FULL;
}

bool drops_recorded(const struct plan *p, const struct nft_env *env)
{
	for (uint32_t i = 0; env->log_drops && i < p->n_devices; i++)
		if (drops_level_tells(p->devices[i].flows))
			return true;
	return false;
}

static enum nft_field saddr_field(uint8_t family)
{
	return family == IP_V4 ? NFT_F_IP_SADDR : NFT_F_IP6_SADDR;
}

static const char *record_set(uint8_t family)
{
	return family == IP_V4 ? SET_RECORD4 : SET_RECORD6;
}

static void record_sources(struct prog_build *b, const struct plan *p, uint8_t family)
{
	struct nft_elem *elems = prog_elems(b, p->n_addrs);
	uint32_t n = 0;

	for (uint32_t i = 0; elems != NULL && i < p->n_addrs; i++) {
		size_t at = 0;

		/* An address that two devices claim is the first one's, as in plan_device_find(). */
		if (p->addrs[i].addr.family != family || ip_addr_is_loopback(&p->addrs[i].addr) ||
		    !drops_level_tells(p->devices[p->addrs[i].device].flows) ||
		    (i != 0 && ip_addr_cmp(&p->addrs[i - 1].addr, &p->addrs[i].addr) == 0))
			continue;
		key_addr(&elems[n].lo, &at, &p->addrs[i].addr);
		elems[n].hi = elems[n].lo;
		n++;
	}
	prog_set(b, &(struct nft_set){ .name = record_set(family),
				       .fields = { saddr_field(family) },
				       .n_fields = 1,
				       .elems = elems,
				       .n_elems = n });
}

static void limit_and_log(struct prog_build *b, const char *limit, const char *prefix, const char *pos)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_LIMIT, .object = limit });
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_LOG, .value = DROP_NFLOG_GROUP, .prefix = prefix });
	prog_rule(b, pos);
}

static void log_recorded(struct prog_build *b, const char *prefix, const char *pos)
{
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_MATCH,
						 .set = record_set(families[f]),
						 .fields = { saddr_field(families[f]) },
						 .n_fields = 1 });
		limit_and_log(b, LIMIT_DEVICES, prefix, pos);
	}
}

void drops_log_deny(struct prog_build *b, uint32_t mark, const char *pos)
{
	log_recorded(b, prog_name(b, "%s:%08" PRIx32, drop_reason_name(DROP_DENY), mark), pos);
}

void drops_count(struct prog_build *b, enum drop_reason reason)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_COUNTER,
					 .object = prog_name(b, DROP_COUNTER_PREFIX "%s", drop_reason_name(reason)) });
}

static void end_chain(struct prog_build *b, const char *name, enum drop_reason reason)
{
	drops_count(b, reason);
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_DROP });
	prog_rule(b, NULL);
	prog_chain(b, &(struct nft_chain){ .name = name });
}

static void objects(struct prog_build *b, bool devices, bool strangers)
{
	for (uint32_t reason = 0; reason < DROP_REASON_MAX; reason++)
		if (reason != DROP_DENY)
			prog_object(b, &(struct nft_object){
					       .name = prog_name(b, DROP_COUNTER_PREFIX "%s", drop_reason_name(reason)),
					       .kind = NFT_O_COUNTER });
	if (devices)
		prog_object(b,
			    &(struct nft_object){ LIMIT_DEVICES, NFT_O_LIMIT, DROP_DEVICES_PER_S, DROP_DEVICES_BURST });
	if (strangers)
		prog_object(b, &(struct nft_object){ LIMIT_STRANGERS, NFT_O_LIMIT, DROP_STRANGERS_PER_S,
						     DROP_STRANGERS_BURST });
}

void lower_drops(struct prog_build *b, const struct plan *p, const struct nft_env *env)
{
	static const struct {
		const char *name;
		enum drop_reason reason;
		bool stranger;
	} chains[] = {
		{ CHAIN_NO_RULE, DROP_NO_RULE, false },		{ CHAIN_UNSEEN, DROP_UNSEEN, false },
		{ CHAIN_QUARANTINED, DROP_QUARANTINED, false }, { CHAIN_UNKNOWN, DROP_UNKNOWN, true },
		{ CHAIN_SPOOFED, DROP_SPOOFED, true },
	};
	bool devices = drops_recorded(p, env);

	objects(b, devices, env->log_drops);
	for (size_t f = 0; devices && f < ARRAY_LEN(families); f++)
		record_sources(b, p, families[f]);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
		const char *prefix = drop_reason_name(chains[i].reason);

		if (chains[i].stranger && env->log_drops)
			limit_and_log(b, LIMIT_STRANGERS, prefix, NULL);
		if (!chains[i].stranger && devices)
			log_recorded(b, prefix, NULL);
		end_chain(b, chains[i].name, chains[i].reason);
	}
}
