/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file is gatewayd's own, but people edit what they find: nothing of it is trusted to be there. */
#include "gatewayd/download_meta.h"

#include <cjson/cJSON.h>

#define JSON_INTEGER_MAX 9007199254740992.0 /* 2^53: whole numbers are exact up to it */

char *download_meta_print(const struct download_meta *m)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	(void)cJSON_AddStringToObject(o, "url", m->url);
	(void)cJSON_AddStringToObject(o, "etag", m->etag);
	(void)cJSON_AddStringToObject(o, "modified", m->modified);
	(void)cJSON_AddStringToObject(o, "sha256", m->sha256);
	(void)cJSON_AddNumberToObject(o, "bytes", (double)m->bytes);
	(void)cJSON_AddNumberToObject(o, "rules", (double)m->rules);
	(void)cJSON_AddNumberToObject(o, "skipped", (double)m->skipped);
	(void)cJSON_AddNumberToObject(o, "refused", (double)m->refused);
	(void)cJSON_AddNumberToObject(o, "fetched", (double)m->fetched_s);
	(void)cJSON_AddNumberToObject(o, "looked", (double)m->looked_s);
	(void)cJSON_AddNumberToObject(o, "tried", (double)m->tried_s);
	(void)cJSON_AddNumberToObject(o, "failures", m->failures);
	(void)cJSON_AddStringToObject(o, "error", m->error);
	text = cJSON_Print(o);
	cJSON_Delete(o);
	return text;
}

static void read_text(const cJSON *o, const char *name, char *ret, size_t len)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	if (text != NULL && strlen(text) < len)
		(void)snprintf(ret, len, "%s", text);
}

static uint64_t read_number(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) && n->valuedouble > 0 && n->valuedouble <= JSON_INTEGER_MAX ? (uint64_t)n->valuedouble
											     : 0;
}

bool download_meta_parse(const char *text, size_t len, struct download_meta *ret)
{
	cJSON *o = cJSON_ParseWithLength(text, len);
	bool ok = cJSON_IsObject(o);
	uint64_t failures = read_number(o, "failures");

	memset(ret, 0, sizeof(*ret));
	read_text(o, "url", ret->url, sizeof(ret->url));
	read_text(o, "etag", ret->etag, sizeof(ret->etag));
	read_text(o, "modified", ret->modified, sizeof(ret->modified));
	read_text(o, "sha256", ret->sha256, sizeof(ret->sha256));
	read_text(o, "error", ret->error, sizeof(ret->error));
	ret->bytes = read_number(o, "bytes");
	ret->rules = read_number(o, "rules");
	ret->skipped = read_number(o, "skipped");
	ret->refused = read_number(o, "refused");
	ret->fetched_s = (int64_t)read_number(o, "fetched");
	ret->looked_s = (int64_t)read_number(o, "looked");
	ret->tried_s = (int64_t)read_number(o, "tried");
	ret->failures = failures < UINT32_MAX ? (uint32_t)failures : UINT32_MAX;
	cJSON_Delete(o);
	return ok;
}

uint32_t download_retry_s(uint32_t failures)
{
	uint32_t pause = DOWNLOAD_RETRY_FIRST_S;

	while (failures > 1 && pause < DOWNLOAD_RETRY_MAX_S) {
		pause *= 2;
		failures--;
	}
	return pause < DOWNLOAD_RETRY_MAX_S ? pause : DOWNLOAD_RETRY_MAX_S;
}

int64_t download_due_s(const struct download_meta *m, bool have, uint32_t refresh_s, uint32_t jitter, int64_t now_s)
{
	int64_t from = m->failures != 0 ? m->tried_s : m->looked_s;
	int64_t pause;

	if (m->failures == 0 && !have)
		return now_s;
	if (m->failures == 0 && refresh_s == 0)
		return INT64_MAX;
	pause = m->failures != 0 ? download_retry_s(m->failures) : refresh_s;
	pause += jitter % (pause / 10 + 1);
	/* What lies ahead was written by another clock. */
	return from > now_s ? now_s + pause : from + pause;
}

bool download_may_replace(uint64_t rules, uint64_t old, char *why, size_t len)
{
	if (rules == 0) {
		(void)snprintf(why, len, "no line of it is a rule");
		return false;
	}
	if (rules >= old / DOWNLOAD_SHRINK)
		return true;
	(void)snprintf(why, len, "it has %llu rules where the one in force has %llu (sluice lists update --force)",
		       (unsigned long long)rules, (unsigned long long)old);
	return false;
}
