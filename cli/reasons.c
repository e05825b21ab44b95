/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the device over the name to the packet, in the order in which a gateway decides; then every rule that is about
 * the device, with what of it fits. */
#include "cli/reasons.h"

#include "cli/drops.h"

#define PLACE_MAX 320 /* a file's name, line and column */

static const char *const dns_words[DNS_VERDICT_MAX] = { "pass", "block", "rewrite" };
static const char *const packet_words[PLAN_ACTION_MAX] = { "accept", "drop", "reject" };
static const char *const state_words[DEVICE_STATE_MAX] = { "pending", "active", "quarantined", "expired" };

/* "policy.hujson:14:5". */
static const char *span_place(const struct reasons *r, struct span at, char buf[PLACE_MAX])
{
	const struct source *src = r->judge->docs.policy->src;
	uint32_t line, col;

	source_locate(src, at.start, &line, &col);
	(void)snprintf(buf, PLACE_MAX, "%s:%u:%u", src->name, line, col);
	return buf;
}

/* The rule at @pos ("/grants/0"), or NULL. */
static const struct doc_rule *rule_at(const struct reasons *r, const char *pos)
{
	const struct doc_policy *p = r->judge->docs.policy;
	char buf[RULE_POS_MAX];

	for (uint32_t i = 0; i < p->n_rules; i++)
		if (strcmp(evaluate_rule_pos(&p->rules[i], buf), pos) == 0)
			return &p->rules[i];
	return NULL;
}

static const struct doc_device *doc_device(const struct reasons *r)
{
	const struct doc_devices *d = r->judge->docs.devices;

	for (uint32_t i = 0; i < d->n_devices; i++)
		if (strcmp(d->devices[i].name, r->device->name) == 0)
			return &d->devices[i];
	return NULL;
}

/* The filter that decides for the device now, or NULL. */
static const struct doc_filter *filter_of(const struct reasons *r)
{
	const struct doc_device *dev = doc_device(r);

	return dev != NULL ? evaluate_filter(r->judge->docs.policy, &r->judge->world.env, dev) : NULL;
}

static uint32_t class_of(const struct reasons *r, const struct ip_addr *src)
{
	const struct plan_addr *a = plan_addr_find(r->judge->plan, src);

	return a != NULL ? a->class_id : UINT32_MAX;
}

/* Devices of which a source is in the class. */
static uint32_t class_size(const struct reasons *r, uint32_t class)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->judge->plan->n_devices; i++) {
		const struct plan_device *d = &r->judge->plan->devices[i];
		bool in = false;

		for (uint32_t k = 0; k < d->n_addrs; k++)
			in = in || class_of(r, &d->addrs[k]) == class;
		n += in;
	}
	return n;
}

/* Which rule over names refuses or opens the name, or NULL. */
static const struct rule_look *name_rule(const struct reasons *r)
{
	for (uint32_t i = 0; r->is_name && i < r->judge->docs.policy->n_rules; i++) {
		const struct rule_look *l = &r->looks[i];

		if (l->dst != NULL && l->dst->sel.kind == SEL_DNS && l->matches)
			return l;
	}
	return NULL;
}

static void name_print(const struct reasons *r)
{
	const struct rule_look *rule = name_rule(r);
	char pos[RULE_POS_MAX], text[VERDICT_RULE_MAX];

	if (r->view == NULL)
		puts("name     refused: the device is not active");
	else if (r->name.by == VERDICT_BY_CANARY)
		puts("name     block: /dns/canaries: programs are told to use this resolver");
	else if (r->name.by == VERDICT_BY_SAFE)
		printf("name     safe search: %s line %u: %s\n", r->name.list, r->name.line,
		       verdict_rule(&r->name, text, sizeof(text)));
	else if (r->name.list != NULL && r->name.verdict == DNS_REWRITE)
		printf("name     answered otherwise: %s line %u: %s\n", r->name.list, r->name.line,
		       verdict_rule(&r->name, text, sizeof(text)));
	else if (r->name.list != NULL && r->name.verdict == DNS_BLOCK)
		printf("name     block: %s line %u: %s\n", r->name.list, r->name.line,
		       verdict_rule(&r->name, text, sizeof(text)));
	else if (r->name.by == VERDICT_BY_OVERRIDE)
		printf("name     pass: by %s (sluice %.5s --list)\n", r->name.pos, r->name.pos);
	else if (r->name.list != NULL)
		printf("name     pass: exception of %s line %u: %s\n", r->name.list, r->name.line,
		       verdict_rule(&r->name, text, sizeof(text)));
	else if (r->name.verdict == DNS_BLOCK)
		printf("name     block: refused by %s\n",
		       rule != NULL ? evaluate_rule_pos(rule->rule, pos) : "the policy");
	else if (r->name.verdict == DNS_REWRITE)
		puts("name     answered from the policy's own records, or as a device's name");
	else
		puts("name     pass: on no list of this device");
	if (rule != NULL)
		printf("name     %s names it: %s\n", evaluate_rule_pos(rule->rule, pos), rule->dst->sel.text);
}

static void filter_print(const struct reasons *r)
{
	const struct doc_policy *p = r->judge->docs.policy;
	const struct doc_filter *f = filter_of(r);
	char place[PLACE_MAX];

	for (uint32_t i = 0; i < p->n_filters; i++) {
		const struct doc_filter *other = &p->filters[i];

		if (other == f)
			printf("filter   /dns/filters/%u at %s%s\n", i, span_place(r, f->span, place),
			       f->resolve_first ? ", resolve-first" : "");
		else if (!evaluate_in_hours(p, &r->judge->world.env, &other->when))
			printf("filter   /dns/filters/%u: not at this time\n", i);
	}
	if (f == NULL)
		puts("filter   none is for this device");
}

static const char *egress_of(const struct reasons *r)
{
	return r->packet.action == PLAN_ACCEPT ? evaluate_egress(r->looks, r->judge->docs.policy->n_rules) : NULL;
}

static void leases_print(const cJSON *answer)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(answer, "leases"))
	{
		const cJSON *left = cJSON_GetObjectItemCaseSensitive(item, "expires_s");
		const char *rule = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "rule"));
		const char *addr = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "addr"));

		printf("learned  %s under %s, for %.0f s more\n", addr != NULL ? addr : "-", rule != NULL ? rule : "-",
		       cJSON_IsNumber(left) ? left->valuedouble : 0);
	}
}

static void refused_print(const struct reasons *r)
{
	char age[DROP_AGE_MAX], service[DROP_SERVICE_MAX], why[DROP_WHY_MAX];

	if (r->refused != NULL)
		printf("refused  last %s, %s: %s\n", drop_age_print(r->refused, drops_now_us(), age),
		       drop_service_print(r->refused, service), drop_why_print(r->refused, why));
}

static void rules_print(const struct reasons *r)
{
	uint32_t others = 0;

	for (uint32_t i = 0; i < r->judge->docs.policy->n_rules; i++) {
		const struct rule_look *l = &r->looks[i];
		char pos[RULE_POS_MAX], text[LOOK_TEXT_MAX], place[PLACE_MAX];

		if (l->src == NULL) {
			others++;
			continue;
		}
		printf("rule     %s %s at %s: %s\n", evaluate_rule_pos(l->rule, pos),
		       l->matches ? "matches" : "does not match", span_place(r, l->rule->span, place),
		       evaluate_look_print(l, text));
	}
	if (others != 0)
		printf("rule     %u other%s not about this device\n", others, others == 1 ? " is" : "s are");
}

void reasons_print(const struct reasons *r)
{
	const struct doc_rule *rule = rule_at(r, r->packet.rule);
	const struct plan_device *d = r->device;
	uint32_t class = class_of(r, &r->src), n = class_size(r, class);
	char addr[IP_TEXT_MAX], place[PLACE_MAX];

	printf("device   %s (%s), %s %s, %s\n", d->name, ip_addr_print(&r->src, addr),
	       d->user != NULL ? "of" : "tagged",
	       d->user != NULL	    ? d->user
	       : d->tags[0] != NULL ? d->tags[0]
				    : "nobody",
	       state_words[d->state]);
	printf("class    %u, shared by %u device%s\n", class, n, n == 1 ? "" : "s");
	filter_print(r);
	if (r->is_name)
		name_print(r);
	leases_print(r->leases);
	printf("packet   %s: %s\n", packet_words[r->packet.action], r->packet.reason);
	if (rule != NULL)
		printf("rule     %s at %s\n", r->packet.rule, span_place(r, rule->span, place));
	if (egress_of(r) != NULL)
		printf("egress   %s\n", egress_of(r));
	refused_print(r);
	rules_print(r);
	if (r->judge->missing != NULL && r->is_name)
		printf("note     list %s is not there: nothing on it is blocked\n", r->judge->missing);
}

static cJSON *look_json(const struct reasons *r, const struct rule_look *l)
{
	char pos[RULE_POS_MAX], place[PLACE_MAX];
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddStringToObject(o, "rule", evaluate_rule_pos(l->rule, pos));
	(void)cJSON_AddStringToObject(o, "at", span_place(r, l->rule->span, place));
	(void)cJSON_AddBoolToObject(o, "matches", l->matches);
	(void)cJSON_AddBoolToObject(o, "source", l->src != NULL);
	if (l->src == NULL)
		return o;
	(void)cJSON_AddBoolToObject(o, "destination", l->to);
	(void)cJSON_AddBoolToObject(o, "service", l->service);
	(void)cJSON_AddBoolToObject(o, "time", l->in_hours);
	(void)cJSON_AddStringToObject(o, "src", l->src->text);
	if (l->dst != NULL)
		(void)cJSON_AddStringToObject(o, "dst", l->dst->sel.text);
	if (l->guard != NULL)
		(void)cJSON_AddStringToObject(o, "guard", l->guard);
	return o;
}

static void dns_json(const struct reasons *r, cJSON *out)
{
	const struct rule_look *rule = name_rule(r);
	cJSON *dns = cJSON_AddObjectToObject(out, "dns");
	char pos[RULE_POS_MAX], text[VERDICT_RULE_MAX];

	(void)cJSON_AddStringToObject(dns, "verdict", r->view != NULL ? dns_words[r->name.verdict] : "block");
	if (r->view != NULL && r->view->filter_pos != NULL)
		(void)cJSON_AddStringToObject(dns, "filter", r->view->filter_pos);
	if (rule != NULL)
		(void)cJSON_AddStringToObject(dns, "name_rule", evaluate_rule_pos(rule->rule, pos));
	if (r->view == NULL || r->name.list == NULL)
		return;
	(void)cJSON_AddStringToObject(dns, "list", r->name.list);
	(void)cJSON_AddNumberToObject(dns, "line", r->name.line);
	(void)cJSON_AddStringToObject(dns, "rule", verdict_rule(&r->name, text, sizeof(text)));
}

void reasons_print_json(const struct reasons *r)
{
	const struct doc_rule *rule = rule_at(r, r->packet.rule);
	cJSON *out = cJSON_CreateObject(), *p, *looks;
	char place[PLACE_MAX] = "", addr[IP_TEXT_MAX], *text;

	(void)cJSON_AddStringToObject(out, "device", r->device->name);
	(void)cJSON_AddStringToObject(out, "state", state_words[r->device->state]);
	(void)cJSON_AddNumberToObject(out, "class", class_of(r, &r->src));
	if (r->is_name)
		dns_json(r, out);
	p = cJSON_AddObjectToObject(out, "packet");
	(void)cJSON_AddStringToObject(p, "verdict", packet_words[r->packet.action]);
	(void)cJSON_AddStringToObject(p, "dst", ip_addr_print(&r->dst, addr));
	(void)cJSON_AddStringToObject(p, "rule", r->packet.rule);
	(void)cJSON_AddStringToObject(p, "at", rule != NULL ? span_place(r, rule->span, place) : "");
	(void)cJSON_AddStringToObject(p, "reason", r->packet.reason);
	if (egress_of(r) != NULL)
		(void)cJSON_AddStringToObject(p, "egress", egress_of(r));
	looks = cJSON_AddArrayToObject(out, "considered");
	for (uint32_t i = 0; i < r->judge->docs.policy->n_rules; i++)
		(void)cJSON_AddItemToArray(looks, look_json(r, &r->looks[i]));
	if (r->leases != NULL)
		(void)cJSON_AddItemToObject(out, "leases", cJSON_DetachItemFromObject(r->leases, "leases"));
	if (r->refused != NULL)
		(void)cJSON_AddItemToObject(out, "last_refused", cJSON_Duplicate(r->refused, /* recurse= */ true));
	text = cJSON_PrintUnformatted(out);
	if (text != NULL)
		puts(text);
	free(text);
	cJSON_Delete(out);
}
