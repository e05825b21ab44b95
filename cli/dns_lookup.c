/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What became of a question that was asked as a device: the message is taken apart and printed by ldns. */
#include "cli/dns.h"

#include <ldns/ldns.h>

static const cJSON *member(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *n = member(o, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static int digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* malloc'ed bytes, or NULL. */
static uint8_t *hex_read(const char *text, size_t *ret_len)
{
	size_t len = strlen(text) / 2;
	uint8_t *bytes = malloc(len + 1);

	for (size_t i = 0; bytes != NULL && i < len; i++) {
		int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_len = len;
	return bytes;
}

static void add_section(cJSON *a, const char *name, const ldns_rr_list *list)
{
	cJSON *rows = cJSON_AddArrayToObject(a, name);

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		CLEANUP(freep) char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		if (text == NULL)
			continue;
		text[strcspn(text, "\n")] = '\0';
		(void)cJSON_AddItemToArray(rows, cJSON_CreateString(text));
	}
}

void dns_lookup_unfold(cJSON *a)
{
	const char *hex = cJSON_GetStringValue(member(a, "message"));
	CLEANUP(freep) uint8_t *bytes = NULL;
	ldns_lookup_table *rcode;
	ldns_pkt *pkt = NULL;
	size_t len = 0;

	if (hex == NULL)
		return;
	bytes = hex_read(hex, &len);
	if (bytes == NULL || ldns_wire2pkt(&pkt, bytes, len) != LDNS_STATUS_OK)
		return; /* it stays as it is */
	rcode = ldns_lookup_by_id(ldns_rcodes, ldns_pkt_get_rcode(pkt));
	(void)cJSON_AddStringToObject(a, "rcode", rcode != NULL ? rcode->name : "?");
	(void)cJSON_AddBoolToObject(a, "ad", ldns_pkt_ad(pkt));
	add_section(a, "answer", ldns_pkt_answer(pkt));
	add_section(a, "authority", ldns_pkt_authority(pkt));
	ldns_pkt_free(pkt);
	cJSON_DeleteItemFromObjectCaseSensitive(a, "message");
}

static void verdict_print(const cJSON *a)
{
	const char *list = control_text(a, "list"), *outcome = control_text(a, "outcome");
	bool blocked = strcmp(outcome, "blocked") == 0 || strcmp(outcome, "dropped_rule") == 0;
	const char *what = blocked ? "blocked by" : strcmp(outcome, "rewritten") == 0 ? "rewritten by" : "passes by";

	if (member(a, "list") == NULL)
		return;
	if (strcmp(list, "override") == 0)
		printf("%s %s (sluice allow --list)\n", what, control_text(a, "rule"));
	else if (strcmp(list, "policy") == 0 || strcmp(list, "filter") == 0)
		printf("%s the policy's %s: %s\n", what, strcmp(list, "filter") == 0 ? "filter" : "rules",
		       control_text(a, "rule"));
	else
		printf("%s list %s line %.0f: %s\n", what, list, number_of(a, "line"), control_text(a, "rule"));
}

static void rows_print(const cJSON *rows)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, rows) printf("%s\n", cJSON_GetStringValue(row));
}

void dns_lookup_print(const cJSON *a, const char *name, const char *type)
{
	const char *device = control_text(a, "device");

	printf("%s %s, asked as %s (%s): %s, %.1f ms\n", name, type, device[0] != '\0' ? device : "nobody's address",
	       control_text(a, "src"), control_text(a, "outcome"), number_of(a, "took_us") / 1000);
	verdict_print(a);
	if (member(a, "split") != NULL)
		printf("belongs to the split %s\n", control_text(a, "split"));
	else if (device[0] != '\0')
		printf("belongs to the upstreams of route %.0f\n", number_of(a, "route"));
	if (member(a, "rcode") == NULL) {
		puts("no answer is given");
		return;
	}
	printf("%s%s\n", control_text(a, "rcode"), cJSON_IsTrue(member(a, "ad")) ? ", validated by DNSSEC" : "");
	if (member(a, "ede") != NULL)
		printf("reason %.0f: %s\n", number_of(a, "ede"), control_text(a, "ede_text"));
	rows_print(member(a, "answer"));
	rows_print(member(a, "authority"));
}
