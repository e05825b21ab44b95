/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh and sshTests: who may log in as whom. A gateway cannot see a login, so ssh is reported as not enforced
 * (document_policy.c) and kept only for sshTests to be asked of it; but a policy that Tailscale would refuse is refused
 * here, too. */
#include "policy/duration.h"
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

/* A name of a user on the host, or one of the two forms that stand for many; NULL: reported. */
static const char *ssh_user_read(struct doc_reader *r, const struct hj_node *node)
{
	const char *text, *domain;

	if (!doc_is(r, node, HJ_STRING, "a user of ssh"))
		return NULL;
	if (is_word(node->string, "") || is_word(node->string, "*")) {
		(void)doc_error(r, "P1303", node->span,
				"\"%s\" is no user of a host: name one, or write autogroup:nonroot", node->string);
		return NULL;
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
	return text;
}

static struct doc_ssh_users ssh_users_read(struct doc_reader *r, const struct hj_node *entry, const char *name)
{
	const struct hj_node *list = doc_list(r, entry, name);
	struct doc_ssh_user *items = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*items));
	struct doc_ssh_users ret = { items, 0 };

	for (const struct hj_node *m = items != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = ssh_user_read(r, m);

		if (text != NULL)
			items[ret.n++] = (struct doc_ssh_user){ text, m->span };
	}
	return ret;
}

/* There is a list, and something in it, be it right or wrong. */
static bool is_given(const struct hj_node *entry, const char *name)
{
	const struct hj_node *list = hj_get(entry, name);

	return list != NULL && list->n_children != 0;
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

static void ssh_selectors_read(struct doc_reader *r, const struct hj_node *entry, struct doc_ssh_rule *rule)
{
	struct selector_list src = selectors_read(r, PLACE_SSH_SRC, doc_list(r, entry, "src"));
	struct selector_list dst = selectors_read(r, PLACE_SSH_DST, doc_list(r, entry, "dst"));

	/* Not an error, as it opens nothing; but nobody writes a rule for that. */
	if (hj_get(entry, "src") == NULL || hj_get(entry, "dst") == NULL)
		(void)doc_warn(r, "P1309", entry->span, "this ssh rule lets nobody in: it has no \"%s\"",
			       hj_get(entry, "src") == NULL ? "src" : "dst");
	for (uint32_t i = 0; i < dst.n; i++)
		if (!ssh_dst_allowed(&dst.items[i]))
			(void)doc_error(r, "P1302", dst.items[i].span,
					"%s cannot be a destination of ssh: only users, tags and autogroup:self can",
					dst.items[i].text);
	rule->srcs = src.items;
	rule->n_srcs = src.n;
	rule->dsts = dst.items;
	rule->n_dsts = dst.n;
}

static enum ssh_answer action_read(struct doc_reader *r, const struct hj_node *entry)
{
	const struct hj_node *action = hj_get(entry, "action");

	if (action == NULL)
		(void)doc_error(r, "P1301", entry->span, "this ssh rule has no \"action\": accept or check");
	else if (!doc_is(r, action, HJ_STRING, "action"))
		return SSH_DENY;
	else if (is_word(action->string, "check"))
		return SSH_CHECK;
	else if (is_word(action->string, "accept"))
		return SSH_ACCEPT;
	else
		(void)doc_error(r, "P1301", action->span, "ssh action \"%s\": only \"accept\" and \"check\" exist",
				action->string);
	return SSH_DENY;
}

static void accept_env_check(struct doc_reader *r, const struct hj_node *entry)
{
	const struct hj_node *node = hj_get(entry, "acceptEnv");

	if (node != NULL && node->kind != HJ_NULL)
		(void)doc_texts(r, doc_list(r, entry, "acceptEnv"), "a variable of acceptEnv");
}

/* As of rules for packets: an empty list asks for none, and puts the default aside. */
static bool posture_read(struct doc_reader *r, const struct hj_node *entry)
{
	const struct hj_node *list = doc_list(r, entry, "srcPosture");

	postures_check(r, list);
	return list != NULL ? list->n_children != 0 : r->default_posture;
}

static void ssh_rule_read(struct doc_reader *r, const struct hj_node *entry, struct doc_ssh_rule *rule)
{
	rule->span = entry->span;
	rule->answer = action_read(r, entry);
	ssh_selectors_read(r, entry, rule);
	rule->users = ssh_users_read(r, entry, "users");
	if (!is_given(entry, "users"))
		(void)doc_error(r, "P1303", entry->span,
				"this ssh rule has no \"users\": name whom the source may log in as");
	check_period_check(r, entry);
	accept_env_check(r, entry);
	(void)selectors_read(r, PLACE_SSH_SRC, doc_list(r, entry, "recorder"));
	(void)doc_bool(r, entry, "enforceRecorder", false);
	rule->has_posture = posture_read(r, entry);
}

static void ssh_rules_read(struct doc_reader *r, const struct hj_node *list, struct doc_policy *p)
{
	static const char *const members[] = { "action",      "src",	   "dst",      "users",
					       "checkPeriod", "acceptEnv", "recorder", "enforceRecorder",
					       "srcPosture",  NULL };
	struct doc_ssh_rule *rules = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*rules));
	uint32_t n = 0;

	for (const struct hj_node *m = rules != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next)
		if (doc_members(r, m, "an ssh rule", members))
			ssh_rule_read(r, m, &rules[n++]);
	p->ssh_rules = rules;
	p->n_ssh_rules = n;
}

/* One thing each, as for tests; but a host is an address of IPv4 or an alias of one. */
static bool ssh_test_dst_read(struct doc_reader *r, const struct hj_node *node, struct selector *ret)
{
	const char *text = doc_text(r, node, "a destination of an ssh test");

	if (text == NULL)
		return false;
	if (strchr(text, '/') == NULL && selector_read(r, PLACE_SSH_DST, node->span, text, ret) < 0)
		return false;
	if (strchr(text, '/') != NULL ||
	    (ret->kind == SEL_PREFIX && (ret->prefix.addr.family == IP_V6 || ret->prefix.len != 32)))
		(void)doc_error(r, "P0702", node->span, "%s cannot be tested: name one user, tag or host of IPv4",
				text);
	else if (ret->kind != SEL_PREFIX && !ssh_dst_allowed(ret))
		(void)doc_error(r, "P0702", node->span, "%s cannot be the destination of an ssh test", text);
	else
		return true;
	return false;
}

static void ssh_test_dsts_read(struct doc_reader *r, const struct hj_node *entry, struct doc_ssh_test *t)
{
	const struct hj_node *list = doc_list(r, entry, "dst");
	struct selector *items = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*items));

	for (const struct hj_node *m = items != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next)
		if (ssh_test_dst_read(r, m, &items[t->n_dsts]))
			t->n_dsts++;
	t->dsts = items;
}

static void logins_read(struct doc_reader *r, const struct hj_node *entry, struct doc_ssh_test *t)
{
	static const char *const names[] = { [SSH_DENY] = "deny", [SSH_ACCEPT] = "accept", [SSH_CHECK] = "check" };
	bool expects = false;

	static_assert(ARRAY_LEN(names) == SSH_ANSWER_MAX, "names");
	for (size_t i = 0; i < SSH_ANSWER_MAX; i++) {
		t->logins[i] = ssh_users_read(r, entry, names[i]);
		expects = expects || is_given(entry, names[i]);
	}
	if (!expects)
		(void)doc_error(r, "P0701", entry->span,
				"this ssh test expects nothing: it needs accept, deny or check");
}

static bool ssh_test_read(struct doc_reader *r, const struct hj_node *entry, struct doc_ssh_test *t)
{
	const struct hj_node *src = hj_get(entry, "src"), *attrs = doc_map(r, entry, "srcPostureAttrs");
	const char *text;

	t->span = entry->span;
	if (src == NULL || !is_given(entry, "dst"))
		(void)doc_error(r, "P0701", entry->span, "this ssh test has no \"%s\"", src == NULL ? "src" : "dst");
	ssh_test_dsts_read(r, entry, t);
	logins_read(r, entry, t);
	if (attrs != NULL && doc_once(r, ONCE_POSTURE_ATTRS))
		(void)doc_warn(r, "P1003", attrs->key_span,
			       "srcPostureAttrs: devices' posture is not known here (said once)");
	text = src != NULL ? doc_text(r, src, "the source of an ssh test") : NULL;
	return text != NULL && selector_read(r, PLACE_TEST_SRC, src->span, text, &t->src) == 0;
}

static void ssh_tests_read(struct doc_reader *r, const struct hj_node *list, struct doc_policy *p)
{
	static const char *const members[] = { "src", "dst", "accept", "deny", "check", "srcPostureAttrs", NULL };
	struct doc_ssh_test *tests = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*tests));
	uint32_t n = 0;

	for (const struct hj_node *m = tests != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		if (!doc_members(r, m, "an ssh test", members))
			continue;
		tests[n] = (struct doc_ssh_test){ 0 };
		if (ssh_test_read(r, m, &tests[n]))
			n++;
	}
	p->ssh_tests = tests;
	p->n_ssh_tests = n;
}

void ssh_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p)
{
	ssh_rules_read(r, doc_list(r, root, "ssh"), p);
	ssh_tests_read(r, doc_list(r, root, "sshTests"), p);
}
