/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Used by recursor.c.
 *
 * libunbound 1.17 knows the codes of RFC 8914 and hands only its words to the event API, and the words only once: while
 * the bogus answer stays in its cache (val-bogus-ttl, a minute) it says "misc failure". So the words are kept here, in
 * a table with one place for each hash: a flood of bogus names pushes out words, and the code is EDE 6 then.
 *
 * Source of the words: unbound 1.17.1, validator/val_sigcrypt.c, val_utils.c, validator.c, val_nsec3.c. */
#include "dnsd/bogus.h"

#define REASONS	     512u /* questions of which the reason is kept */
#define NO_REASON    "misc failure"
#define NO_WORDS     "validation failure"
#define REASON_BYTES (DNS_EDE_TEXT_MAX + 1)

struct reason {
	uint32_t hash; /* of question; with .type 0: empty */
	uint16_t type;
	int16_t ede;
	char text[REASON_BYTES];
};

struct bogus {
	struct reason reasons[REASONS];
};

/* The first of these in the text decides, at equal places the first of the list: what follows says where it led. */
static const struct {
	const char *words;
	int ede;
} codes[] = {
	{ "signature expired", EDE_SIGNATURE_EXPIRED },
	{ "signature before inception date", EDE_SIGNATURE_NOT_YET },
	{ "signature inception after expiration", EDE_SIGNATURE_NOT_YET },
	{ "dnskey without ZSK flag", EDE_NO_ZONE_KEY },
	{ "no signatures over NSEC", EDE_NSEC_MISSING },
	{ "no DNSSEC records", EDE_NSEC_MISSING },
	{ "no NSEC3 records", EDE_NSEC_MISSING },
	{ "no NSEC3 closest encloser", EDE_NSEC_MISSING },
	{ "no NSEC3 next closer", EDE_NSEC_MISSING },
	{ "no DS but also no proof", EDE_NSEC_MISSING },
	{ "proof failed", EDE_NSEC_MISSING },
	{ "no signatures", EDE_RRSIGS_MISSING },
	{ "signature missing", EDE_RRSIGS_MISSING },
	{ "signatures from unknown keys", EDE_DNSKEY_MISSING },
	{ "No DNSKEY record", EDE_DNSKEY_MISSING },
	{ "no DNSKEY rrset", EDE_DNSKEY_MISSING },
	{ "DNSKEY RRset did not match", EDE_DNSKEY_MISSING },
	{ "no keys have a DS", EDE_DNSKEY_MISSING },
	{ "DS hash mismatches key", EDE_DNSKEY_MISSING },
	{ "keyset not secured by DNSKEY that matches DS", EDE_DNSKEY_MISSING },
	{ "unsupported algorithm", EDE_DNSKEY_ALGORITHM },
	{ "algorithm refused", EDE_DNSKEY_ALGORITHM },
	{ "no known algorithms", EDE_DNSKEY_ALGORITHM },
};

int bogus_ede(const char *why)
{
	const char *first = NULL;
	int ede = EDE_DNSSEC_BOGUS;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		const char *at = strstr(why, codes[i].words);

		if (at != NULL && (first == NULL || at < first)) {
			first = at;
			ede = codes[i].ede;
		}
	}
	return ede;
}

struct bogus *bogus_new(void)
{
	return calloc(1, sizeof(struct bogus));
}

struct bogus *bogus_free(struct bogus *b)
{
	free(b);
	return NULL;
}

/* FNV-1a. Names that were made to meet in one place lose words, and a collision of all 32 bits says another's. */
static uint32_t question_hash(const struct dname *name, uint16_t type)
{
	uint32_t h = 2166136261u ^ type;

	for (size_t i = 0; i < name->len; i++)
		h = (h ^ name->wire[i]) * 16777619u;
	return h;
}

int bogus_why(struct bogus *b, const struct dname *name, uint16_t type, const char *why, const char **ret_text)
{
	uint32_t hash = question_hash(name, type);
	struct reason *r = &b->reasons[hash % REASONS];

	if (why == NULL || strstr(why, NO_REASON) != NULL) {
		bool ours = r->type == type && r->hash == hash;

		*ret_text = ours ? r->text : NO_WORDS;
		return ours ? r->ede : EDE_DNSSEC_BOGUS;
	}
	r->hash = hash;
	r->type = type;
	r->ede = (int16_t)bogus_ede(why);
	snprintf(r->text, sizeof(r->text), "%s", why);
	*ret_text = r->text;
	return r->ede;
}
