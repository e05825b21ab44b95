/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log plan: parsed once a reload, asked for each event by recorder.c.
 *
 * It comes from gatewayd, which is trusted; it is checked all the same, and one fault refuses the whole: a plan that is
 * half understood could record a device that opted out. */
#include "recorder/logplan.h"

#include <cjson/cJSON.h>

struct logplan_addr {
	struct ip_addr addr;
	uint32_t device;
};

struct logplan_rule {
	uint32_t mark;
	char *pos;
};

struct logplan {
	uint64_t generation;
	struct logplan_device *devices;
	uint32_t n_devices;
	struct logplan_addr *addrs; /* sorted */
	uint32_t n_addrs;
	struct logplan_rule *rules; /* sorted by mark */
	uint32_t n_rules;
};

static const char *const level_names[] = {
	[LOG_LEVEL_OFF] = "off",       [LOG_LEVEL_BLOCKED] = "blocked",
	[LOG_LEVEL_COUNTS] = "counts", [LOG_LEVEL_PSEUDONYMOUS] = "pseudonymous",
	[LOG_LEVEL_FULL] = "full",
};
static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_MAX, "names");

static void json_freep(cJSON **j)
{
	cJSON_Delete(*j);
}

struct logplan *logplan_free(struct logplan *p)
{
	if (p == NULL)
		return NULL;
	for (uint32_t i = 0; i < p->n_devices; i++)
		free(p->devices[i].name);
	for (uint32_t i = 0; i < p->n_rules; i++)
		free(p->rules[i].pos);
	free(p->devices);
	free(p->addrs);
	free(p->rules);
	free(p);
	return NULL;
}

void logplan_freep(struct logplan **p)
{
	*p = logplan_free(*p);
}

static int addr_cmp(const void *a, const void *b)
{
	const struct logplan_addr *x = a, *y = b;

	return ip_addr_cmp(&x->addr, &y->addr);
}

static int rule_cmp(const void *a, const void *b)
{
	const struct logplan_rule *x = a, *y = b;

	return x->mark < y->mark ? -1 : x->mark > y->mark;
}

static int level_read(const cJSON *j, enum log_level *ret)
{
	for (int i = LOG_LEVEL_OFF; cJSON_IsString(j) && i < LOG_LEVEL_MAX; i++) {
		if (strcmp(j->valuestring, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EBADMSG;
}

static int addrs_read(struct logplan *p, const cJSON *list, struct logplan_device *d)
{
	const cJSON *j;

	cJSON_ArrayForEach(j, list)
	{
		struct logplan_addr *a = &p->addrs[p->n_addrs];

		if (!cJSON_IsString(j) || ip_addr_parse(j->valuestring, &a->addr) != 0)
			return -EBADMSG;
		a->device = p->n_devices - 1;
		if (d->first.family == IP_NONE)
			d->first = a->addr;
		p->n_addrs++;
	}
	return 0;
}

/* Elements of all "addrs" lists; more than the limit gives the limit plus one. */
static uint32_t addrs_count(const cJSON *devices)
{
	uint32_t n = 0;
	const cJSON *d;

	cJSON_ArrayForEach(d, devices)
	{
		n += (uint32_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(d, "addrs"));
		if (n > LOGPLAN_ADDRS_MAX)
			return LOGPLAN_ADDRS_MAX + 1;
	}
	return n;
}

static int devices_read(struct logplan *p, const cJSON *list, struct err *e)
{
	uint32_t n = (uint32_t)cJSON_GetArraySize(list), n_addrs = addrs_count(list);
	const cJSON *j;

	if (n > LOGPLAN_DEVICES_MAX || n_addrs > LOGPLAN_ADDRS_MAX)
		return err_set(e, -E2BIG, "log plan: more devices or addresses than we take");
	p->devices = calloc(n + 1, sizeof(*p->devices));
	p->addrs = calloc(n_addrs + 1, sizeof(*p->addrs));
	if (p->devices == NULL || p->addrs == NULL)
		return err_set(e, -ENOMEM, "log plan: out of memory");
	cJSON_ArrayForEach(j, list)
	{
		const cJSON *name = cJSON_GetObjectItemCaseSensitive(j, "name");
		const cJSON *addrs = cJSON_GetObjectItemCaseSensitive(j, "addrs");
		const cJSON *queries = cJSON_GetObjectItemCaseSensitive(j, "queries");
		struct logplan_device *d = &p->devices[p->n_devices];

		if ((queries != NULL && level_read(queries, &d->queries) != 0) || !cJSON_IsString(name) ||
		    !cJSON_IsArray(addrs) || level_read(cJSON_GetObjectItemCaseSensitive(j, "flows"), &d->flows) != 0)
			return err_set(e, -EBADMSG, "log plan: device %u is malformed", p->n_devices);
		d->name = strdup(name->valuestring);
		p->n_devices++;
		if (d->name == NULL)
			return err_set(e, -ENOMEM, "log plan: out of memory");
		if (addrs_read(p, addrs, d) != 0)
			return err_set(e, -EBADMSG, "log plan: device %u: malformed address", p->n_devices - 1);
	}
	qsort(p->addrs, p->n_addrs, sizeof(*p->addrs), addr_cmp);
	for (uint32_t i = 1; i < p->n_addrs; i++) {
		if (ip_addr_cmp(&p->addrs[i - 1].addr, &p->addrs[i].addr) == 0)
			return err_set(e, -EBADMSG, "log plan: an address belongs to two devices");
	}
	return 0;
}

static int rules_read(struct logplan *p, const cJSON *list, struct err *e)
{
	uint32_t n = (uint32_t)cJSON_GetArraySize(list);
	const cJSON *j;

	if (n > LOGPLAN_RULES_MAX)
		return err_set(e, -E2BIG, "log plan: more than %u rules", LOGPLAN_RULES_MAX);
	p->rules = calloc(n + 1, sizeof(*p->rules));
	if (p->rules == NULL)
		return err_set(e, -ENOMEM, "log plan: out of memory");
	cJSON_ArrayForEach(j, list)
	{
		const cJSON *mark = cJSON_GetObjectItemCaseSensitive(j, "mark");
		const cJSON *pos = cJSON_GetObjectItemCaseSensitive(j, "pos");
		struct logplan_rule *r = &p->rules[p->n_rules];

		if (!cJSON_IsNumber(mark) || mark->valuedouble < 1 || mark->valuedouble > (double)UINT32_MAX ||
		    !cJSON_IsString(pos))
			return err_set(e, -EBADMSG, "log plan: rule %u is malformed", p->n_rules);
		r->mark = (uint32_t)mark->valuedouble;
		r->pos = strdup(pos->valuestring);
		p->n_rules++;
		if (r->pos == NULL)
			return err_set(e, -ENOMEM, "log plan: out of memory");
	}
	qsort(p->rules, p->n_rules, sizeof(*p->rules), rule_cmp);
	return 0;
}

int logplan_parse(const char *text, size_t len, struct logplan **ret, struct err *e)
{
	CLEANUP(logplan_freep) struct logplan *p = NULL;
	CLEANUP(json_freep) cJSON *root = NULL;
	const cJSON *generation, *devices, *rules;
	int r;

	if (len > LOGPLAN_TEXT_MAX_BYTES)
		return err_set(e, -E2BIG, "log plan: %zu bytes", len);
	root = len != 0 ? cJSON_ParseWithLength(text, len) : NULL;
	generation = cJSON_GetObjectItemCaseSensitive(root, "generation");
	devices = cJSON_GetObjectItemCaseSensitive(root, "devices");
	rules = cJSON_GetObjectItemCaseSensitive(root, "rules");
	if (!cJSON_IsNumber(generation) || generation->valuedouble < 0 || !cJSON_IsArray(devices) ||
	    !cJSON_IsArray(rules))
		return err_set(e, -EBADMSG, "log plan: not a log plan");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return err_set(e, -ENOMEM, "log plan: out of memory");
	p->generation = (uint64_t)generation->valuedouble;
	r = devices_read(p, devices, e);
	if (r == 0)
		r = rules_read(p, rules, e);
	if (r != 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

static const struct logplan_device *device_of(const struct logplan *p, const struct ip_addr *addr)
{
	struct logplan_addr key = { .addr = *addr };
	const struct logplan_addr *hit;

	if (p == NULL || p->n_addrs == 0)
		return NULL;
	hit = bsearch(&key, p->addrs, p->n_addrs, sizeof(*p->addrs), addr_cmp);
	return hit != NULL ? &p->devices[hit->device] : NULL;
}

const struct logplan_device *logplan_device_find(const struct logplan *p, const struct ip_addr *addr)
{
	const struct logplan_device *d = device_of(p, addr);

	return d != NULL && d->flows != LOG_LEVEL_OFF ? d : NULL;
}

const struct logplan_device *logplan_device_queries(const struct logplan *p, const struct ip_addr *addr)
{
	const struct logplan_device *d = device_of(p, addr);

	return d != NULL && d->queries != LOG_LEVEL_OFF ? d : NULL;
}

const char *logplan_rule_find(const struct logplan *p, uint32_t mark)
{
	struct logplan_rule key = { .mark = mark & CT_MARK_MASK };
	const struct logplan_rule *hit;

	if (p == NULL || p->n_rules == 0)
		return NULL;
	hit = bsearch(&key, p->rules, p->n_rules, sizeof(*p->rules), rule_cmp);
	return hit != NULL ? hit->pos : NULL;
}

uint64_t logplan_generation(const struct logplan *p)
{
	return p != NULL ? p->generation : 0;
}
