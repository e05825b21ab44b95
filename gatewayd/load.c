/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths in gateway.hujson are relative to its folder. A file is read whole, up to SOURCE_MAX_BYTES: what does not fit
 * is refused by source_new(). */
#include "gatewayd/load.h"

#include "policy/path.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>

/* Documents of 100,000 devices take some 100 MB; a run-away file should not take the host. */
#define LOAD_MEM_MAX (512u << 20)

static int read_file(const char *path, char **ret, size_t *ret_len, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(freep) char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s: is no file", path);
	if (st.st_size > SOURCE_MAX_BYTES)
		return err_set(e, -E2BIG, "%s: larger than %u bytes", path, SOURCE_MAX_BYTES);
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	while (len < (size_t)st.st_size && n > 0) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	text[len] = '\0';
	*ret_len = len;
	*ret = TAKE(text);
	return 0;
}

static struct source *read_source(struct arena *mem, const char *path, struct err *e)
{
	CLEANUP(freep) char *text = NULL;
	struct source *src;
	size_t len = 0;

	if (read_file(path, &text, &len, e) < 0)
		return NULL;
	src = source_new(mem, path, text, len);
	if (src == NULL)
		(void)err_set(e, -ENOMEM, "%s: out of memory", path);
	return src;
}

char *diags_text(const struct diag_list *l)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (l->n_errors + l->n_warnings == 0)
		return NULL;
	out = open_memstream(&text, &len);
	if (out == NULL)
		return NULL;
	diag_print(l, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

int user_lookup(const char *user, uint32_t *ret_uid, uint32_t *ret_gid, struct err *e)
{
	char *end;
	unsigned long n;
	const struct passwd *pw;

	errno = 0;
	n = strtoul(user, &end, 10);
	if (user[0] >= '0' && user[0] <= '9' && *end == '\0' && errno == 0 && n > 0 && n < UINT32_MAX) {
		*ret_uid = *ret_gid = (uint32_t)n;
		return 0;
	}
	pw = getpwnam(user);
	if (pw == NULL)
		return err_set(
			e, -ENOENT,
			"user %s does not exist: make it (systemd-sysusers, or useradd --system), or give a number",
			user);
	if (pw->pw_uid == 0)
		return err_set(e, -EINVAL, "user %s is root: the resolver and the recorder must not be", user);
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

static int resolve_paths(const struct gateway_config *cfg, const char *file, struct doc_gateway *g, struct err *e)
{
	const char **paths[] = { &g->policy_file,
				 &g->devices_file,
				 &g->state_dir,
				 &g->run_dir,
				 &g->country_mmdb,
				 &g->asn_mmdb,
				 &g->tunnel.private_key_file,
				 &g->dnstap,
				 &g->root_hints,
				 &g->trust_anchor };

	for (uint32_t i = 0; i < g->n_certs; i++) {
		struct doc_cert *c = &g->certs[i];

		c->certificate = path_beside(cfg->mem, file, c->certificate);
		c->key = path_beside(cfg->mem, file, c->key);
		if (c->certificate == NULL || c->key == NULL)
			return err_set(e, -ENOMEM, "%s: out of memory", file);
	}
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		bool had = *paths[i] != NULL;

		*paths[i] = path_beside(cfg->mem, file, *paths[i]);
		if (had && *paths[i] == NULL)
			return err_set(e, -ENOMEM, "%s: out of memory", file);
	}
	return 0;
}

static int tunnel_networks(struct gateway_config *c, struct err *e)
{
	const struct doc_tunnel *t = &c->doc->tunnel;
	struct ip_prefix *nets = arena_array(c->mem, t->n_addresses + 1, sizeof(*nets));

	if (nets == NULL)
		return err_set(e, -ENOMEM, "gateway: out of memory");
	for (uint32_t i = 0; i < t->n_addresses; i++) {
		nets[i].addr = ip_prefix_range(&t->addresses[i]).first;
		nets[i].len = t->addresses[i].len;
	}
	c->tunnel_nets = nets;
	c->n_tunnel = t->n_addresses;
	return 0;
}

/* Said here, where somebody looks: dnsd, which reads them, would not start. */
static int roots_check(const struct doc_gateway *g, struct err *e)
{
	const struct {
		const char *member, *path;
	} files[] = { { "dns.rootHints", g->root_hints }, { "dns.trustAnchor", g->trust_anchor } };

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (files[i].path != NULL && access(files[i].path, R_OK) != 0)
			return err_set(e, -errno, "%s: %s: %s", files[i].member, files[i].path, strerror(errno));
	return 0;
}

static int config_fill(struct gateway_config *c, const char *path, char **ret_text, struct err *e)
{
	struct diag_list *diags = arena_alloc(c->mem, sizeof(*diags));
	struct source *src = read_source(c->mem, path, e);
	struct doc_gateway *g;
	int r;

	if (src == NULL || diags == NULL)
		return e->code != 0 ? e->code : err_set(e, -ENOMEM, "%s: out of memory", path);
	diag_init(diags, c->mem);
	g = document_gateway(c->mem, src, diags);
	*ret_text = diags_text(diags);
	if (g == NULL)
		return err_set(e, -EINVAL, "%s: %u errors", path, diags->n_errors);
	c->doc = g;
	r = resolve_paths(c, path, g, e);
	if (r == 0)
		r = roots_check(g, e);
	if (r == 0)
		r = tunnel_networks(c, e);
	if (r == 0)
		r = user_lookup(g->dnsd_user, &c->dnsd_uid, &c->dnsd_gid, e);
	if (r == 0)
		r = user_lookup(g->recorder_user, &c->recorder_uid, &c->recorder_gid, e);
	if (r == 0 && c->dnsd_uid == c->recorder_uid)
		r = err_set(e, -EINVAL, "%s: dnsd and recorder need different users", path);
	return r;
}

int load_gateway(const char *path, struct gateway_config **ret, char **ret_text, struct err *e)
{
	struct gateway_config *c = calloc(1, sizeof(*c));
	int r;

	*ret_text = NULL;
	if (c == NULL)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	c->mem = arena_new(LOAD_MEM_MAX);
	e->code = 0;
	r = c->mem == NULL ? err_set(e, -ENOMEM, "%s: out of memory", path) : config_fill(c, path, ret_text, e);
	if (r < 0)
		c = gateway_config_free(c);
	*ret = c;
	return r;
}

struct gateway_config *gateway_config_free(struct gateway_config *c)
{
	if (c != NULL)
		(void)arena_free(c->mem);
	free(c);
	return NULL;
}

struct documents *documents_ref(struct documents *d)
{
	d->refs++;
	return d;
}

struct documents *documents_unref(struct documents *d)
{
	if (d == NULL || --d->refs != 0)
		return NULL;
	(void)documents_unref(d->policy_of);
	(void)arena_free(d->mem);
	free(d);
	return NULL;
}

static struct documents *documents_new(struct err *e)
{
	struct documents *d = calloc(1, sizeof(*d));

	if (d != NULL)
		d->mem = arena_new(LOAD_MEM_MAX);
	if (d == NULL || d->mem == NULL) {
		free(d);
		(void)err_set(e, -ENOMEM, "policy: out of memory");
		return NULL;
	}
	d->refs = 1;
	diag_init(&d->diags, d->mem);
	return d;
}

/* @policy_of: whose policy it is to be with, or NULL: read that, too. */
static int documents_read(const struct doc_gateway *g, struct documents *policy_of, struct documents *d, struct err *e)
{
	struct source *policy = policy_of == NULL ? read_source(d->mem, g->policy_file, e) : NULL;
	struct source *devices = policy == NULL && policy_of == NULL ? NULL : read_source(d->mem, g->devices_file, e);

	if (devices == NULL)
		return e->code;
	if (policy_of != NULL) {
		/* Not a chain: the one that has read it. */
		d->policy_of = documents_ref(policy_of->policy_of != NULL ? policy_of->policy_of : policy_of);
		d->policy = policy_of->policy;
	} else {
		d->policy = document_policy(d->mem, policy, &d->diags);
	}
	/* Both, so that the user sees the errors of both at once. */
	d->devices = document_devices(d->mem, devices, &d->diags);
	if (d->policy != NULL && d->devices != NULL)
		document_check_devices(d->policy, d->devices, &d->diags);
	if (d->policy == NULL || d->devices == NULL || d->diags.n_errors != 0)
		return err_set(e, -EINVAL, "%u errors", d->diags.n_errors);
	return 0;
}

/* Networks that are routed to us are devices' own, whose addresses are public ones: "the internet" is not they. */
static struct ip_prefix *closed_networks(const struct attached *a, const struct doc_gateway *g)
{
	struct ip_prefix *nets = calloc((size_t)a->n_nets + g->n_routed + 1, sizeof(*nets));

	if (nets == NULL)
		return NULL;
	if (a->n_nets != 0)
		memcpy(nets, a->nets, a->n_nets * sizeof(*nets));
	if (g->n_routed != 0)
		memcpy(nets + a->n_nets, g->routed, g->n_routed * sizeof(*nets));
	return nets;
}

/* @again: this reading once more. @policy_of: its policy. Both NULL: read the files. */
static int load(const struct doc_gateway *g, struct documents *again, struct documents *policy_of, int64_t now_s,
		struct loaded **ret, struct err *e)
{
	CLEANUP(loaded_freep) struct loaded *l = calloc(1, sizeof(*l));
	int r;

	*ret = NULL;
	e->code = 0;
	if (l == NULL)
		return err_set(e, -ENOMEM, "policy: out of memory");
	r = attached_read(g->tunnel.interface, &l->attached, e);
	if (r < 0)
		return r;
	l->closed = closed_networks(&l->attached, g);
	if (l->closed == NULL)
		return err_set(e, -ENOMEM, "policy: out of memory");
	l->env = (struct compile_env){
		.now_s = now_s,
		.at_s = now_s,
		.attached = l->closed,
		.n_attached = l->attached.n_nets + g->n_routed,
		.egress = &g->egress,
	};
	l->docs = again != NULL ? documents_ref(again) : documents_new(e);
	if (l->docs == NULL)
		return -ENOMEM;
	if (again != NULL)
		diag_init(&l->docs->diags, l->docs->mem);
	else
		r = documents_read(g, policy_of, l->docs, e);
	if (r == 0) {
		r = zones_load(l->docs->policy, &l->zones);
		l->env.zones = l->zones.items;
		l->env.n_zones = l->zones.n;
		l->env.zone_names = l->zones.names;
	}
	*ret = TAKE(l);
	return r;
}

int load_policy(const struct doc_gateway *g, struct documents *again, int64_t now_s, struct loaded **ret, struct err *e)
{
	return load(g, again, NULL, now_s, ret, e);
}

int load_devices(const struct doc_gateway *g, struct documents *docs, int64_t now_s, struct loaded **ret, struct err *e)
{
	return load(g, NULL, docs, now_s, ret, e);
}

int load_compile(struct loaded *l, struct prefixes *prefixes, struct err *e)
{
	int r;

	(void)prefixes_unref(l->prefixes);
	l->prefixes = prefixes_ref(prefixes);
	l->env.prefixes = prefixes != NULL ? prefixes->file.sources : NULL;
	l->env.n_prefixes = prefixes != NULL ? prefixes->file.n : 0;
	r = plan_compile(l->docs->policy, l->docs->devices, &l->env, &l->docs->diags, &l->plan);
	return r < 0 ? err_set(e, r, "the policy does not compile: %s", strerror(-r)) : 0;
}

char *loaded_errors(const struct loaded *l, const struct err *err)
{
	char *text = l != NULL && l->docs->diags.n_errors != 0 ? diags_text(&l->docs->diags) : NULL;

	return text != NULL ? text : strdup(err->msg);
}

struct loaded *loaded_free(struct loaded *l)
{
	if (l == NULL)
		return NULL;
	(void)plan_free(l->plan);
	zones_done(&l->zones);
	free(l->closed);
	(void)prefixes_unref(l->prefixes);
	(void)documents_unref(l->docs);
	free(l);
	return NULL;
}

void loaded_freep(struct loaded **l)
{
	*l = loaded_free(*l);
}
