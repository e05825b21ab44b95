/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to the recorder's log plan. Called by gatewayd on reload; the recorder reads it (recorder/). */
#include "policy/lower_log.h"

#include "policy/json_out.h"

static const char *const level_names[] = {
	[LOG_LEVEL_OFF] = "off",       [LOG_LEVEL_BLOCKED] = "blocked",
	[LOG_LEVEL_COUNTS] = "counts", [LOG_LEVEL_PSEUDONYMOUS] = "pseudonymous",
	[LOG_LEVEL_FULL] = "full",
};
static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_MAX, "names");

static void add_device(struct json_out *j, cJSON *list, const struct plan_device *dev)
{
	cJSON *o = json_object(j, list, NULL), *addrs;
	char text[IP_TEXT_MAX];

	json_string(j, o, "name", dev->name);
	addrs = json_array(j, o, "addrs");
	for (uint32_t i = 0; i < dev->n_addrs; i++)
		json_string(j, addrs, NULL, ip_addr_print(&dev->addrs[i], text));
	json_string(j, o, "flows", level_names[dev->flows]);
	if (dev->queries != LOG_LEVEL_OFF)
		json_string(j, o, "queries", level_names[dev->queries]);
}

int lower_log(const struct plan *p, uint64_t generation, char **ret, struct err *e)
{
	CLEANUP(json_out_done) struct json_out j = { 0 };
	cJSON *root = json_root(&j), *list;

	json_number(&j, root, "generation", generation);
	list = json_array(&j, root, "devices");
	for (uint32_t i = 0; i < p->n_devices; i++) {
		if (p->devices[i].flows != LOG_LEVEL_OFF || p->devices[i].queries != LOG_LEVEL_OFF)
			add_device(&j, list, &p->devices[i]);
	}
	list = json_array(&j, root, "rules");
	for (uint32_t i = 0; i < p->n_rules; i++) {
		cJSON *o = json_object(&j, list, NULL);

		json_number(&j, o, "mark", p->rules[i].mark);
		json_string(&j, o, "pos", p->rules[i].pos);
	}
	*ret = json_text(&j);
	return *ret == NULL ? err_set(e, -ENOMEM, "log plan") : 0;
}
