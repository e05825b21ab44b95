/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh and sshTests: who may log in as whom. A gateway cannot see a login, so nothing of it is kept; but a policy that
 * Tailscale would refuse is refused here, too, and the section is reported as not enforced (document_policy.c). */
#include "policy/sections.h"
#include "policy/selector.h"

/* What Tailscale takes as the time between two checks of who is logged in: a week. */
#define CHECK_PERIOD_MAX_S (168.0 * 3600)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* @text is @word but for blanks around it. */
static bool is_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (is_blank(*text))
		text++;
	if (strncmp(text, word, len) != 0)
		return false;
	for (text += len; is_blank(*text); text++)
		;
	return *text == '\0';
}

/* What Tailscale takes for the name of a user, like any other, although whoever wrote it meant more than one. */
static bool looks_like_many(const char *text)
{
	static const char *const words[] = { "autogroup:", "localpart:", "group:", "tag:", NULL };

	for (size_t i = 0; words[i] != NULL; i++)
		if (strncmp(text, words[i], strlen(words[i])) == 0)
			return strcmp(text, "autogroup:nonroot") != 0;
	return false;
}

/* A name of a user on the host, or one of the two forms that stand for many. */
static void ssh_user_check(struct doc_reader *r, const struct hj_node *node)
{
	const char *text, *domain;

	if (!doc_is(r, node, HJ_STRING, "a user of ssh"))
		return;
	if (is_word(node->string, "") || is_word(node->string, "*")) {
		(void)doc_error(r, "P1303", node->span,
				"\"%s\" is no user of a host: name one, or write autogroup:nonroot", node->string);
		return;
	}
	text = doc_text(r, node, "a user of ssh");
	domain = text != NULL && strncmp(text, "localpart:*@", 12) == 0 && text[12] != '\0' ? text + 12 : NULL;
	if (domain != NULL && strpbrk(domain, "@*") != NULL)
		(void)doc_error(r, "P1303", node->span, "%s must be localpart:*@domain", text);
	else if (text != NULL && domain == NULL && looks_like_many(text))
		(void)doc_warn(r, "P1310", node->span,
			       "%s is no user of a host: only autogroup:nonroot and localpart:*@domain stand for more "
			       "than one",
			       text);
}

/* True when there is a list that names somebody. */
static bool ssh_users_check(struct doc_reader *r, const struct hj_node *entry, const char *name)
{
	const struct hj_node *list = doc_list(r, entry, name);

	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next)
		ssh_user_check(r, m);
	return list != NULL && list->n_children != 0;
}

/* Seconds of one unit of Go's durations; 0 when there is no such unit. */
static double duration_unit(const char *text, size_t len)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "\u00b5s", 1e-6 }, { "ms", 1e-3 },
		      { "s", 1 },     { "m", 60 },    { "h", 3600 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].name) == len && strncmp(units[i].name, text, len) == 0)
			return units[i].seconds;
	return 0;
}

/* "1h30m", "-2.5h", "0": as Go's time.ParseDuration reads them. 0 or -EINVAL. */
static int duration_parse(const char *text, double *ret)
{
	double sign = *text == '-' ? -1 : 1, sum = 0;

	text += *text == '-' || *text == '+';
	if (strcmp(text, "0") == 0) {
		*ret = 0;
		return 0;
	}
	if (*text == '\0')
		return -EINVAL;
	while (*text != '\0') {
		size_t digits = strspn(text, "0123456789."), unit_len = strcspn(text + digits, "0123456789.");
		double unit = duration_unit(text + digits, unit_len), value;
		char *end;

		if (digits == 0 || unit == 0)
			return -EINVAL;
		value = strtod(text, &end);
		if (end != text + digits) /* "1.2.3" */
			return -EINVAL;
		sum += value * unit;
		text += digits + unit_len;
	}
	*ret = sign * sum;
	return 0;
}

static void check_period_check(struct doc_reader *r, const struct hj_node *entry)
{
	const struct hj_node *node = hj_get(entry, "checkPeriod");
	const char *text = node != NULL && node->kind != HJ_NULL ? doc_text(r, node, node->key) : NULL;
	double seconds;

	if (text == NULL || strcmp(text, "always") == 0)
		return;
	if (duration_parse(text, &seconds) < 0)
		(void)doc_error(r, "P1304", node->span,
				"checkPeriod \"%s\" is no duration: as 12h, 90m or 1h30m, or always", text);
	else if (seconds < 0 || seconds > CHECK_PERIOD_MAX_S)
		(void)doc_error(r, "P1304", node->span, "checkPeriod %s is out of its range: from 0 to 168h", text);
}

static bool ssh_dst_allowed(const struct selector *s)
{
	return s->kind == SEL_USER || s->kind == SEL_GROUP || s->kind == SEL_TAG || s->kind == SEL_SELF ||
	       s->kind == SEL_MEMBER || s->kind == SEL_TAGGED || s->kind == SEL_DOMAIN || s->kind == SEL_NOBODY;
}

static void ssh_selectors_check(struct doc_reader *r, const struct hj_node *entry)
{
	const struct hj_node *src = doc_list(r, entry, "src"), *dst = doc_list(r, entry, "dst");
	struct selector_list to;

	/* Not an error, as it opens nothing; but nobody writes a rule for that. */
	if (hj_get(entry, "src") == NULL || hj_get(entry, "dst") == NULL)
		(void)doc_warn(r, "P1309", entry->span, "this ssh rule lets nobody in: it has no \"%s\"",
			       hj_get(entry, "src") == NULL ? "src" : "dst");
	(void)selectors_read(r, PLACE_SSH_SRC, src);
	to = selectors_read(r, PLACE_SSH_DST, dst);
	for (uint32_t i = 0; i < to.n; i++)
		if (!ssh_dst_allowed(&to.items[i]))
			(void)doc_error(r, "P1302", to.items[i].span,
					"%s cannot be a destination of ssh: only users, tags and autogroup:self can",
					to.items[i].text);
}

static void action_check(struct doc_reader *r, const struct hj_node *entry)
{
	const struct hj_node *action = hj_get(entry, "action");

	if (action == NULL)
		(void)doc_error(r, "P1301", entry->span, "this ssh rule has no \"action\": accept or check");
	else if (doc_is(r, action, HJ_STRING, "action") && !is_word(action->string, "accept") &&
		 !is_word(action->string, "check"))
		(void)doc_error(r, "P1301", action->span, "ssh action \"%s\": only \"accept\" and \"check\" exist",
				action->string);
}

static void accept_env_check(struct doc_reader *r, const struct hj_node *entry)
{
	const struct hj_node *node = hj_get(entry, "acceptEnv");

	if (node != NULL && node->kind != HJ_NULL)
		(void)doc_texts(r, doc_list(r, entry, "acceptEnv"), "a variable of acceptEnv");
}

static void ssh_rule_check(struct doc_reader *r, const struct hj_node *entry)
{
	static const char *const members[] = { "action",      "src",	   "dst",      "users",
					       "checkPeriod", "acceptEnv", "recorder", "enforceRecorder",
					       "srcPosture",  NULL };

	if (!doc_members(r, entry, "an ssh rule", members))
		return;
	action_check(r, entry);
	ssh_selectors_check(r, entry);
	if (!ssh_users_check(r, entry, "users"))
		(void)doc_error(r, "P1303", entry->span,
				"this ssh rule has no \"users\": name whom the source may log in as");
	check_period_check(r, entry);
	accept_env_check(r, entry);
	(void)selectors_read(r, PLACE_SSH_SRC, doc_list(r, entry, "recorder"));
	(void)doc_bool(r, entry, "enforceRecorder", false);
	postures_check(r, doc_list(r, entry, "srcPosture"));
}

/* One thing each, as for tests; but a host is an address of IPv4 or an alias of one. */
static void ssh_test_dst_check(struct doc_reader *r, const struct hj_node *node)
{
	const char *text = doc_text(r, node, "a destination of an ssh test");
	struct selector s = { 0 };

	if (text == NULL)
		return;
	if (strchr(text, '/') == NULL && selector_read(r, PLACE_SSH_DST, node->span, text, &s) < 0)
		return;
	if (strchr(text, '/') != NULL ||
	    (s.kind == SEL_PREFIX && (s.prefix.addr.family == IP_V6 || s.prefix.len != 32)))
		(void)doc_error(r, "P0702", node->span, "%s cannot be tested: name one user, tag or host of IPv4",
				text);
	else if (s.kind != SEL_PREFIX && !ssh_dst_allowed(&s))
		(void)doc_error(r, "P0702", node->span, "%s cannot be the destination of an ssh test", text);
}

static void ssh_test_check(struct doc_reader *r, const struct hj_node *entry)
{
	static const char *const members[] = { "src", "dst", "accept", "deny", "check", "srcPostureAttrs", NULL };
	const struct hj_node *src, *dst;
	const char *text;
	struct selector s;
	bool expects;

	if (!doc_members(r, entry, "an ssh test", members))
		return;
	src = hj_get(entry, "src");
	dst = doc_list(r, entry, "dst");
	if (src == NULL || dst == NULL || dst->n_children == 0)
		(void)doc_error(r, "P0701", entry->span, "this ssh test has no \"%s\"", src == NULL ? "src" : "dst");
	text = src != NULL ? doc_text(r, src, "the source of an ssh test") : NULL;
	if (text != NULL)
		(void)selector_read(r, PLACE_TEST_SRC, src->span, text, &s);
	for (const struct hj_node *m = dst != NULL ? dst->child : NULL; m != NULL; m = m->next)
		ssh_test_dst_check(r, m);
	expects = ssh_users_check(r, entry, "accept");
	expects = ssh_users_check(r, entry, "deny") || expects;
	expects = ssh_users_check(r, entry, "check") || expects;
	(void)doc_map(r, entry, "srcPostureAttrs");
	if (!expects)
		(void)doc_error(r, "P0701", entry->span,
				"this ssh test expects nothing: it needs accept, deny or check");
}

void ssh_check(struct doc_reader *r, const struct hj_node *root)
{
	const struct hj_node *rules = doc_list(r, root, "ssh"), *tests = doc_list(r, root, "sshTests");

	for (const struct hj_node *m = rules != NULL ? rules->child : NULL; m != NULL; m = m->next)
		ssh_rule_check(r, m);
	for (const struct hj_node *m = tests != NULL ? tests->child : NULL; m != NULL; m = m->next)
		ssh_test_check(r, m);
}
