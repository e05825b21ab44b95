/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/judge.h"

#include "filter/listbuild.h"
#include "geo/view_prefixes.h"
#include "geo/views_at.h"
#include "policy/catalogue.h"
#include "policy/lower_dns.h"

#include <fcntl.h>
#include <limits.h>

void judge_done(struct judge *j)
{
	j->views = views_free(j->views);
	j->then = views_free(j->then);
	world_done(&j->world);
	free(j->lists);
	j->lists = NULL;
	j->plan = plan_free(j->plan);
	cli_policy_done(&j->docs);
}

/* FILE of a NAME=FILE for this list, or NULL. */
static const char *list_option(const struct judge_options *o, const char *name)
{
	size_t len = strlen(name);

	for (uint32_t i = 0; i < o->n_lists; i++)
		if (strncmp(o->lists[i], name, len) == 0 && o->lists[i][len] == '=')
			return o->lists[i] + len + 1;
	return NULL;
}

static bool list_file(const struct judge_options *o, const struct plan_list *list, char *buf, size_t room)
{
	const char *slash = strrchr(o->policy, '/');
	int len;

	if (list->file == NULL)
		return false;
	if (list->file[0] == '/')
		len = snprintf(buf, room, "%s", list->file);
	else if (o->lists_dir != NULL)
		len = snprintf(buf, room, "%s/%s", o->lists_dir, list->file);
	else
		len = snprintf(buf, room, "%.*s%s", slash != NULL ? (int)(slash - o->policy) + 1 : 0, o->policy,
			       list->file);
	return len > 0 && (size_t)len < room;
}

/* A list that was named on the command line must be there. One of the policy may be missing, as on a gateway whose
 * lists are not fetched yet: it holds nothing then, and the caller says so. */
static int add_list(struct judge *j, struct list_builder *b, const struct judge_options *o, uint32_t number,
		    struct err *e)
{
	const struct plan_list *list = &j->plan->lists[number];
	const char *option = list_option(o, list->name), *text;
	char buf[PATH_MAX];
	CLEANUP(fd_closep) int fd = -1;
	int r = list->trusted ? list_builder_trust(b, number, e) : 0;

	if (r < 0)
		return r;
	text = list->builtin && option == NULL ? catalogue_text(list->name) : NULL;
	if (text != NULL)
		return list_builder_add_text(b, number, text, strlen(text), NULL, e);
	if (option != NULL || list_file(o, list, buf, sizeof(buf)))
		fd = open(option != NULL ? option : buf, O_RDONLY | O_CLOEXEC);
	if (fd != -1)
		return list_builder_add(b, number, fd, NULL, e);
	if (option != NULL)
		return err_set(e, -errno, "list %s: %s: %s", list->name, option, strerror(errno));
	j->missing = list->name;
	return 0;
}

static int options_check(const struct judge_options *o, const struct plan *plan, struct err *e)
{
	for (uint32_t i = 0; i < o->n_lists; i++) {
		size_t len = strcspn(o->lists[i], "=");
		bool known = false;

		for (uint32_t k = 0; k < plan->n_lists && !known; k++)
			known = strlen(plan->lists[k].name) == len &&
				memcmp(plan->lists[k].name, o->lists[i], len) == 0;
		if (!known)
			return err_set(e, -EINVAL, "--list %s: the policy has no list of that name", o->lists[i]);
	}
	return 0;
}

/* Countries, networks and lists that are not given hold nothing (.lenient), and that is said by the compiler. */
static int views_from(struct judge *j, const char *json, struct err *e)
{
	CLEANUP(freep) struct view_prefixes *prefixes = NULL;

	if (view_prefixes_of(j->world.env.prefixes, j->world.env.n_prefixes, &prefixes) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return views_new_closed(json, strlen(json), j->lists, j->lists_len, prefixes, j->world.env.n_prefixes,
				&j->views, e);
}

static int views_build(struct judge *j, const struct judge_options *o, struct err *e)
{
	CLEANUP(list_builder_freep) struct list_builder *b = list_builder_new();
	CLEANUP(freep) char *json = NULL;
	int r;

	if (b == NULL)
		return err_set(e, -ENOMEM, "no memory, or no random bytes");
	r = options_check(o, j->plan, e);
	for (uint32_t i = 0; r == 0 && i < j->plan->n_lists; i++)
		r = add_list(j, b, o, i, e);
	if (r == 0)
		r = list_builder_image(b, &j->lists, &j->lists_len, e);
	if (r == 0)
		r = lower_dns_overridden(j->plan, NULL, 0, 1, o->overrides, o->n_overrides, &json, e);
	if (r == 0)
		r = views_from(j, json, e);
	return r;
}

int judge_init(struct judge *ret, const struct judge_options *o, struct err *e)
{
	struct err why = { 0 };
	int r;

	memset(ret, 0, sizeof(*ret));
	r = cli_policy_load(o->policy, o->devices, &ret->docs);
	if (r == 0) {
		r = world_load(&ret->world, ret->docs.policy, o->policy, &o->world, &why);
		ret->world.env.lenient = o->lenient;
		if (o->now && ret->world.env.at_s == 0)
			ret->world.env.at_s = ret->world.env.now_s;
	}
	if (r < 0 && why.code != 0)
		return err_set(e, r, "%s", why.msg);
	if (r == 0)
		r = plan_compile(ret->docs.policy, ret->docs.devices, &ret->world.env, &ret->docs.diags, &ret->plan);
	if (r < 0)
		return err_set(e, r, r == -ENOMEM ? "out of memory" : "the policy has errors");
	return views_build(ret, o, e);
}

/* NULL: out of memory. */
static const struct views *views_of(struct judge *j, int64_t at_s)
{
	if (at_s == j->world.env.at_s || j->docs.policy->n_zones == 0)
		return j->views;
	if (j->then != NULL && j->then_s == at_s)
		return j->then;
	j->then = views_free(j->then);
	j->then_s = at_s;
	(void)views_at(j->docs.policy, j->docs.devices, &j->world.env, at_s, j->lists, j->lists_len, &j->then, NULL);
	return j->then;
}

int judge_dns_test(void *arg, int64_t at_s, const struct ip_addr *client, const struct dname *name)
{
	struct judge *j = arg;
	const struct views *views = views_of(j, at_s);
	const struct view_client *c = views != NULL ? views_client(views, client) : NULL;
	struct name_verdict v;

	if (views == NULL)
		return -ENOMEM;
	/* A device that is not active is answered REFUSED whatever the name is. */
	if (c == NULL)
		return 1;
	verdict_name(
		&(struct verdict_ask){ .views = views, .view = &views->views[c->view], .client = c, .type = RECORD_A },
		name, &v);
	if (v.verdict == DNS_PASS && j->missing != NULL)
		return -ENOENT; /* it might be on the list that is not there */
	return v.verdict == DNS_BLOCK;
}
