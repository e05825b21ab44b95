/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy's own `sshTests` (syntax.md 3.1.7). Nothing here lets anybody in or keeps them out, as the hosts decide
 * about logins; but Tailscale refuses a policy whose sshTests fail, and so must we.
 *
 * As `tests`, a test is asked for every active device that its source means, every one that its destination means and
 * every user that it names, and holds only if it holds for all. Rules have no order: where one that checks and one that
 * accepts are about the same login, it is checked. */
#include "policy/evaluate.h"

struct run {
	const struct doc_policy *p;
	const struct doc_devices *d;
	const struct compile_env *env;
	struct diag_list *diags;
	const struct doc_ssh_test *test;
	uint32_t n_failed;
};

/* One device logs in to another as this user of the other. */
struct login {
	const struct doc_device *from, *to;
	const struct doc_ssh_user *user;
};

static const char *const answer_words[] = { [SSH_DENY] = "deny", [SSH_ACCEPT] = "accept", [SSH_CHECK] = "check" };
static_assert(ARRAY_LEN(answer_words) == SSH_ANSWER_MAX, "words");

/* localpart:*@domain: users of this domain log in under the name that they have there. */
static bool is_local_part(const struct doc_policy *p, const struct login *l, const char *domain)
{
	const struct selector of_domain = { .kind = SEL_DOMAIN, .name = domain };
	size_t len;

	if (!evaluate_selects(p, &of_domain, l->from))
		return false;
	len = strlen(l->from->user) - strlen(domain);
	return strlen(l->user->text) == len && strncmp(l->user->text, l->from->user, len) == 0;
}

static bool takes_in(const struct doc_policy *p, const char *user, const struct login *l)
{
	static const char local_part[] = "localpart:*@";

	if (strcmp(user, "autogroup:nonroot") == 0)
		return strcmp(l->user->text, "root") != 0;
	if (strncmp(user, local_part, sizeof(local_part) - 1) == 0 && user[sizeof(local_part) - 1] != '\0')
		return is_local_part(p, l, user + sizeof(local_part) - 2);
	return strcmp(user, l->user->text) == 0;
}

static bool is_source(const struct doc_policy *p, const struct doc_ssh_rule *rule, const struct login *l)
{
	for (uint32_t i = 0; i < rule->n_srcs; i++) {
		if (evaluate_selects(p, &rule->srcs[i], l->from))
			return true;
	}
	return false;
}

static bool means_device(const struct doc_policy *p, const struct selector *dst, const struct login *l)
{
	return dst->kind == SEL_SELF ? evaluate_same_user(l->from, l->to) : evaluate_selects(p, dst, l->to);
}

/* The rule is about logins of this user there, whoever asks. */
static bool is_target(const struct doc_policy *p, const struct doc_ssh_rule *rule, const struct login *l)
{
	bool user = false, dst = false;

	for (uint32_t i = 0; i < rule->users.n && !user; i++)
		user = takes_in(p, rule->users.items[i].text, l);
	for (uint32_t i = 0; i < rule->n_dsts && user && !dst; i++)
		dst = means_device(p, &rule->dsts[i], l);
	return dst;
}

/* NULL: no rule lets it in. */
static const struct doc_ssh_rule *decide(const struct doc_policy *p, const struct login *l)
{
	const struct doc_ssh_rule *found = NULL;

	for (uint32_t i = 0; i < p->n_ssh_rules; i++) {
		const struct doc_ssh_rule *rule = &p->ssh_rules[i];

		if (found != NULL && rule->answer != SSH_CHECK)
			continue;
		if (rule->has_posture || !is_target(p, rule, l) || !is_source(p, rule, l))
			continue;
		found = rule;
		if (rule->answer == SSH_CHECK)
			break;
	}
	return found;
}

/* Why a rule that is about the login may have missed its source for what only Tailscale's service knows, or NULL. */
static const char *what_is_unknown(const struct doc_policy *p, const struct doc_ssh_rule *rule, const struct login *l)
{
	if (!is_target(p, rule, l))
		return NULL;
	if (rule->has_posture && is_source(p, rule, l))
		return "this rule matches nobody here: devices' posture is not known";
	for (uint32_t i = 0; i < rule->n_srcs; i++) {
		if (rule->srcs[i].kind == SEL_NOBODY)
			return "this rule has a source that matches nobody here: name users or groups";
	}
	return NULL;
}

/* The rule that decided, or one that might have: a place to look at. */
static void relate(const struct run *run, struct diag *d, const struct doc_ssh_rule *rule, const struct login *l)
{
	if (rule != NULL)
		diag_relate(d, run->p->src, rule->span, "this rule decided");
	for (uint32_t i = 0; rule == NULL && i < run->p->n_ssh_rules; i++) {
		const char *why = what_is_unknown(run->p, &run->p->ssh_rules[i], l);

		if (why == NULL)
			continue;
		diag_relate(d, run->p->src, run->p->ssh_rules[i].span, why);
		return;
	}
}

/* A login that is checked is let in, too. */
static bool satisfies(enum ssh_answer got, enum ssh_answer expected)
{
	return got == expected || (expected == SSH_ACCEPT && got == SSH_CHECK);
}

static void ask(struct run *run, const struct selector *dst, const struct login *l, enum ssh_answer expected)
{
	const struct doc_ssh_rule *rule = decide(run->p, l);
	enum ssh_answer got = rule != NULL ? rule->answer : SSH_DENY;
	struct diag *d;

	if (satisfies(got, expected))
		return;
	run->n_failed++;
	d = diag_add(run->diags, DIAG_ERROR, "P0801", run->p->src, l->user->span,
		     "test failed: ssh: %s to %s (%s) as %s: expected %s, got %s", l->from->name, dst->text,
		     l->to->name, l->user->text, answer_words[expected], answer_words[got]);
	if (d != NULL)
		relate(run, d, rule, l);
}

static void ask_users(struct run *run, const struct selector *dst, struct login *l)
{
	for (size_t a = 0; a < SSH_ANSWER_MAX; a++) {
		for (uint32_t i = 0; i < run->test->logins[a].n; i++) {
			l->user = &run->test->logins[a].items[i];
			ask(run, dst, l, (enum ssh_answer)a);
		}
	}
}

static bool is_tested(const struct run *run, const struct doc_device *dev)
{
	return evaluate_active(dev, run->env) && evaluate_selects(run->p, &run->test->src, dev);
}

/* Returns true when there was a device to ask for. */
static bool ask_devices(struct run *run, const struct selector *dst, const struct doc_device *from)
{
	struct login l = { .from = from };
	bool asked = false;

	for (uint32_t i = 0; i < run->d->n_devices; i++) {
		l.to = &run->d->devices[i];
		if (!evaluate_active(l.to, run->env) || !means_device(run->p, dst, &l))
			continue;
		ask_users(run, dst, &l);
		asked = true;
	}
	return asked;
}

static void run_dst(struct run *run, const struct selector *dst)
{
	bool asked = false;

	for (uint32_t i = 0; i < run->d->n_devices; i++) {
		if (is_tested(run, &run->d->devices[i]))
			asked = ask_devices(run, dst, &run->d->devices[i]) || asked;
	}
	if (!asked)
		diag_add(run->diags, DIAG_WARNING, "P0802", run->p->src, dst->span,
			 "test not run: \"%s\" is no active device that one of \"%s\" could log in to", dst->text,
			 run->test->src.text);
}

static bool has_source(const struct run *run)
{
	for (uint32_t i = 0; i < run->d->n_devices; i++) {
		if (is_tested(run, &run->d->devices[i]))
			return true;
	}
	return false;
}

uint32_t evaluate_ssh_tests(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
			    struct diag_list *diags)
{
	struct run run = { .p = p, .d = d, .env = env, .diags = diags };

	for (uint32_t i = 0; i < p->n_ssh_tests; i++) {
		run.test = &p->ssh_tests[i];
		if (!has_source(&run)) {
			diag_add(diags, DIAG_WARNING, "P0802", p->src, run.test->src.span,
				 "test not run: no active device is \"%s\"", run.test->src.text);
			continue;
		}
		for (uint32_t k = 0; k < run.test->n_dsts; k++)
			run_dst(&run, &run.test->dsts[k]);
	}
	return run.n_failed;
}
