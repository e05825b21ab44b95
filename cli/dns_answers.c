/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/dns_answers.h"

#include "cli/dns_type.h"

#include <strings.h>

/* What is known of an answer so far. */
struct judged {
	const struct verdict_ask *ask;
	const struct name_verdict *asked;
	struct name_verdict
		*blocked;	/* by the first thing that is not let through; .verdict says whether there is one */
	uint32_t kept, trimmed; /* addresses */
};

static const char *member(const cJSON *answer, const char *name)
{
	const cJSON *j = cJSON_GetObjectItemCaseSensitive(answer, name);

	return cJSON_IsString(j) ? j->valuestring : "";
}

static bool addr_ok(struct judged *j, const struct ip_addr *addr)
{
	struct name_verdict v;

	verdict_addr(j->ask, j->asked, addr, addr->family == IP_V4 ? RECORD_A : RECORD_AAAA, &v);
	if (v.verdict != DNS_BLOCK) {
		j->kept++;
		return true;
	}
	if (j->trimmed++ == 0)
		*j->blocked = v;
	return false;
}

/* False: it is blocked, and so is the whole answer. */
static bool target_ok(const struct judged *j, const char *text, size_t len, uint16_t type, struct name_verdict *ret)
{
	struct dname name;

	if (dname_parse(text, len, &name) < 0)
		return true;
	verdict_target(j->ask, j->asked, &name, type, ret);
	return ret->verdict != DNS_BLOCK;
}

/* "ipv4hint=192.0.2.1,192.0.2.2" with those that may pass; nothing when none may. */
static void hints_copy(struct judged *j, const char *param, size_t len, FILE *out)
{
	size_t at = strcspn(param, "=") + 1;
	bool first = true;

	while (at < len) {
		size_t n = strcspn(param + at, ", ");
		char text[IP_TEXT_MAX];
		struct ip_addr addr;

		n = at + n > len ? len - at : n;
		if (n < sizeof(text)) {
			memcpy(text, param + at, n);
			text[n] = '\0';
			if (ip_addr_parse(text, &addr) < 0 || addr_ok(j, &addr)) {
				if (first)
					fprintf(out, " %.*s", (int)(strcspn(param, "=") + 1), param);
				fprintf(out, "%s%s", first ? "" : ",", text);
				first = false;
			}
		}
		at += n + 1;
	}
}

/* "1 svc.example. alpn=h2 ipv4hint=192.0.2.1", as in zone files. */
static void service_copy(struct judged *j, const char *value, FILE *out)
{
	bool first = true;

	while (*value != '\0') {
		size_t len = strcspn(value, " ");

		if (strncmp(value, "ipv4hint=", 9) == 0 || strncmp(value, "ipv6hint=", 9) == 0)
			hints_copy(j, value, len, out);
		else
			fprintf(out, "%s%.*s", first ? "" : " ", (int)len, value);
		first = false;
		value += len + strspn(value + len, " ");
	}
}

static void value_add(cJSON *values, const char *text)
{
	cJSON_AddItemToArray(values, cJSON_CreateString(text));
}

static void service_add(struct judged *j, const char *value, cJSON *values)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return;
	service_copy(j, value, out);
	if (fclose(out) == 0)
		value_add(values, text);
	free(text);
}

/* Where a record leads to, by name; *ret_len 0: nowhere. */
static const char *target_of(uint16_t type, const char *value, size_t *ret_len)
{
	*ret_len = 0;
	if (type == RECORD_CNAME || type == RECORD_PTR) {
		*ret_len = strlen(value);
	} else if (type == DNS_TYPE_HTTPS || type == DNS_TYPE_SVCB) {
		value += strcspn(value, " ");
		value += strspn(value, " ");
		*ret_len = strcspn(value, " ");
		if (*ret_len == 1 && *value == '.') /* the name itself (RFC 9460 2.5.2) */
			*ret_len = 0;
	}
	return value;
}

static void record_add(struct judged *j, uint16_t type, const char *value, bool wanted, cJSON *values)
{
	struct ip_addr addr;

	if (type == RECORD_A || type == RECORD_AAAA) {
		if ((ip_addr_parse(value, &addr) < 0 || addr_ok(j, &addr)) && wanted)
			value_add(values, value);
	} else if (wanted && (type == DNS_TYPE_HTTPS || type == DNS_TYPE_SVCB)) {
		service_add(j, value, values);
	} else if (wanted) {
		value_add(values, value);
	}
}

void dns_answers_judge(const struct verdict_ask *ask, const struct name_verdict *asked, const cJSON *answers,
		       uint16_t type, struct name_verdict *ret, cJSON *values)
{
	struct name_verdict blocked = { .verdict = DNS_PASS };
	struct judged j = { .ask = ask, .asked = asked, .blocked = &blocked };
	const cJSON *answer;

	*ret = *asked;
	cJSON_ArrayForEach(answer, answers)
	{
		uint16_t of = dns_type_parse(member(answer, "type"));
		const char *value = member(answer, "value");
		struct name_verdict v;
		size_t len;
		const char *target = target_of(of, value, &len);

		if (len != 0 && !target_ok(&j, target, len, of, &v)) {
			*ret = v;
			return;
		}
		record_add(&j, of, value, of != 0 && of == type, values);
	}
	if (j.trimmed != 0 && j.kept == 0 && (type == RECORD_A || type == RECORD_AAAA))
		*ret = blocked;
}
