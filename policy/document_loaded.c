/* SPDX-License-Identifier: GPL-3.0-or-later */
/* geo:XX, asn:N, iplist:NAME. The policy only names them; whose addresses they are comes from databases and lists that
 * whoever compiles supplies. So that only those are read, the document lists which it needs. */
#include "policy/loaded.h"

static const char *const prefix_words[] = {
	[PREFIX_GEO] = "geo:",
	[PREFIX_ASN] = "asn:",
	[PREFIX_LIST] = "iplist:",
};
static_assert(ARRAY_LEN(prefix_words) == PREFIX_KIND_MAX, "words");

/* ISO 3166-1 alpha-2, and XK as everybody uses it for Kosovo. A code that no database knows would match nothing, and in
 * a deny nobody would notice. */
static const char countries[] = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCH"
				"CICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGN"
				"GPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLI"
				"LKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOM"
				"PAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTD"
				"TFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

static bool country_known(const char *code)
{
	for (const char *c = countries; *c != '\0'; c += 2)
		if (c[0] == code[0] && c[1] == code[1])
			return true;
	return false;
}

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static int geo_check(struct doc_reader *r, struct span at, const char *text, const char *key)
{
	char code[3] = { 0 };
	const char *hint = "";

	code[0] = upper(key[0]);
	if (key[0] != '\0')
		code[1] = upper(key[1]);
	if (strlen(key) == 2 && country_known(key))
		return 0;
	if (strcmp(code, "UK") == 0)
		hint = ", did you mean \"geo:GB\"?";
	else if (strlen(key) == 2 && country_known(code))
		hint = ": codes are in capitals";
	(void)doc_error(r, "P0215", at, "%s is no country: a code of two letters (ISO 3166-1), as geo:DE%s", text,
			hint);
	return -EINVAL;
}

static int asn_check(struct doc_reader *r, struct span at, const char *text, const char *key)
{
	uint64_t n = 0;

	for (const char *c = key; *c >= '0' && *c <= '9' && n <= UINT32_MAX; c++)
		n = n * 10 + (uint64_t)(*c - '0');
	if (key[0] >= '1' && key[0] <= '9' && key[strspn(key, "0123456789")] == '\0' && n <= UINT32_MAX)
		return 0;
	(void)doc_error(r, "P0215", at, "%s is no network: the number of an autonomous system, as asn:64496", text);
	return -EINVAL;
}

static int iplist_check(struct doc_reader *r, struct span at, const char *text, const char *key)
{
	const struct doc_policy *p = r->policy;
	const char **names;

	for (uint32_t i = 0; i < p->n_iplists; i++)
		if (strcmp(p->iplists[i].name, key) == 0)
			return 0;
	names = doc_hint_names(r, p->n_iplists);
	for (uint32_t i = 0; names != NULL && i < p->n_iplists; i++)
		names[i] = p->iplists[i].name;
	(void)doc_error(r, "P0216", at, "%s is not defined in dns.iplists%s", text, doc_hint(r, key, names));
	return -EINVAL;
}

static int need_add(struct doc_reader *r, const struct doc_need *need, uint32_t *ret)
{
	for (uint32_t i = 0; i < r->n_needs; i++) {
		*ret = i;
		if (r->needs[i].kind == need->kind && strcmp(r->needs[i].key, need->key) == 0)
			return 0;
	}
	if (r->n_needs == r->needs_room) {
		uint32_t room = r->needs_room * 2 + 16;
		struct doc_need *needs = doc_array(r, room, sizeof(*needs));

		if (needs == NULL)
			return -ENOMEM;
		if (r->n_needs != 0)
			memcpy(needs, r->needs, r->n_needs * sizeof(*needs));
		r->needs = needs;
		r->needs_room = room;
	}
	*ret = r->n_needs;
	r->needs[r->n_needs++] = *need;
	return 0;
}

bool loaded_word(const char *text)
{
	for (int i = 0; i < PREFIX_KIND_MAX; i++)
		if (strncmp(text, prefix_words[i], strlen(prefix_words[i])) == 0)
			return true;
	return false;
}

int loaded_read(struct doc_reader *r, struct span at, const char *text, uint32_t *ret)
{
	static int (*const checks[])(struct doc_reader *, struct span, const char *, const char *) = {
		[PREFIX_GEO] = geo_check, [PREFIX_ASN] = asn_check, [PREFIX_LIST] = iplist_check
	};
	struct doc_need need = { .text = text, .span = at };

	while (need.kind < PREFIX_KIND_MAX &&
	       strncmp(text, prefix_words[need.kind], strlen(prefix_words[need.kind])) != 0)
		need.kind++;
	if (need.kind == PREFIX_KIND_MAX)
		return -EINVAL;
	need.key = text + strlen(prefix_words[need.kind]);
	if (checks[need.kind](r, at, text, need.key) < 0)
		return -EINVAL;
	return need_add(r, &need, ret);
}
