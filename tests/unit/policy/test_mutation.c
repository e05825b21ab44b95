/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every policy of tests/golden with one token changed: it is refused, or fails its own tests, or changes what the plan
 * says of somebody; what does neither is listed, to be looked at.
 * usage: test_mutation GOLDEN_DIR CASE... */
#include "world.h"

#include "policy/plan_diff.h"

#define FILE_MAX (1u << 16)

struct counts {
	uint32_t all, refused, changed, neutral, same_flows;
};

static char *text_of(const char *dir, const char *name, const char *file)
{
	char path[4096], *text = calloc(1, FILE_MAX);
	FILE *in;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
	in = fopen(path, "r");
	if (in == NULL || text == NULL || fread(text, 1, FILE_MAX - 1, in) == 0)
		fail_msg("%s cannot be read", path);
	(void)fclose(in);
	return text;
}

/* The next byte that is to be changed, from @at on: the last letter or digit of a string, or of a word outside one. */
static size_t next_token(const char *text, size_t at)
{
	while (text[at] != '\0') {
		size_t last = 0;

		if (text[at] == '/' && text[at + 1] == '/') {
			at += strcspn(text + at, "\n");
		} else if (text[at] == '"') {
			for (at++; text[at] != '"' && text[at] != '\0'; at++)
				last = at;
			at += text[at] == '"';
		} else if (strchr("abcdefghijklmnopqrstuvwxyz0123456789", text[at]) != NULL) {
			while (strchr("abcdefghijklmnopqrstuvwxyz0123456789", text[at]) != NULL && text[at] != '\0')
				last = at++;
		} else {
			at++;
		}
		if (last != 0)
			return last;
	}
	return 0;
}

static char changed(char c)
{
	return c == '9' ? '0' : c == 'z' ? 'a' : c == '*' ? '1' : c == '^' ? 'x' : (char)(c + 1);
}

/* False when it is refused; else @w is compiled. */
static bool compiles(struct world *w, const char *policy, const char *devices)
{
	struct source *src;

	*w = (struct world){ .mem = arena_new(0), .env = { .now_s = 2000 } };
	assert_non_null(w->mem);
	diag_init(&w->diags, w->mem);
	src = source_new(w->mem, "policy.hujson", policy, strlen(policy));
	w->policy = document_policy(w->mem, src, &w->diags);
	src = source_new(w->mem, "devices.hujson", devices, strlen(devices));
	w->devices = document_devices(w->mem, src, &w->diags);
	if (w->policy == NULL || w->devices == NULL)
		return false;
	document_check_devices(w->policy, w->devices, &w->diags);
	return w->diags.n_errors == 0 && plan_compile(w->policy, w->devices, &w->env, &w->diags, &w->plan) == 0 &&
	       evaluate_tests(w->policy, w->devices, &w->env, NULL, NULL, NULL, &w->diags) == 0;
}

static void say(const char *name, const char *text, size_t at)
{
	size_t from = at;
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	while (from > 0 && text[from - 1] != '\n' && at - from < 60)
		from--;
	print_message("neutral: %s line %u, before the bracket: %.*s[%c\n", name, line, (int)(at - from), text + from,
		      text[at]);
}

/* What plan_diff() finds to pass or not to pass any more, plan_same_flows() must not take for the same. */
static void assert_flows_seen(const struct plan *was, const struct plan *is, const struct plan_diff *d)
{
	bool flows = false;

	for (uint32_t i = 0; i < d->n_changes; i++)
		flows = flows || d->changes[i].kind < CHANGE_SETTING;
	assert_false(flows && plan_same_flows(was, is));
	assert_int_equal(plan_same_flows(was, is), plan_same_flows(is, was));
}

static void mutate(const char *dir, const char *name, struct counts *c)
{
	CLEANUP(freep) char *policy = text_of(dir, name, "policy.hujson");
	CLEANUP(freep) char *devices = text_of(dir, name, "devices.hujson");
	CLEANUP(world_done) struct world was = { 0 }, once_more = { 0 };

	if (!compiles(&was, policy, devices) || !compiles(&once_more, policy, devices))
		fail_msg("%s does not compile", name);
	assert_true(plan_same_flows(was.plan, once_more.plan));
	for (size_t at = next_token(policy, 0); at != 0; at = next_token(policy, at + 1 + (policy[at + 1] == '"'))) {
		CLEANUP(world_done) struct world is = { 0 };
		struct plan_diff d = { 0 };
		char kept = policy[at];

		policy[at] = changed(kept);
		c->all++;
		if (!compiles(&is, policy, devices)) {
			c->refused++;
		} else {
			assert_int_equal(plan_diff(was.plan, is.plan, is.mem, &d, NULL), 0);
			assert_flows_seen(was.plan, is.plan, &d);
			c->same_flows += plan_same_flows(was.plan, is.plan);
			c->changed += d.n_changes != 0;
			c->neutral += d.n_changes == 0;
		}
		policy[at] = kept;
		if (is.plan != NULL && is.diags.n_errors == 0 && d.n_changes == 0)
			say(name, policy, at);
	}
}

static int n_cases;
static char **cases;

static void a_changed_token_is_refused_or_seen(void **state)
{
	struct counts c = { 0 };

	for (int i = 2; i < n_cases; i++)
		mutate(cases[1], cases[i], &c);
	print_message("%u mutations: %u refused, %u change what somebody gains or loses, %u neutral (listed); "
		      "%u are the same to every flow\n",
		      c.all, c.refused, c.changed, c.neutral, c.same_flows);
	assert_true(c.refused != 0 && c.changed != 0 && c.same_flows != 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_changed_token_is_refused_or_seen) };

	if (argc < 3)
		return 2;
	n_cases = argc;
	cases = argv;
	return cmocka_run_group_tests_name("mutation", tests, NULL, NULL);
}
