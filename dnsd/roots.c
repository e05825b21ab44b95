/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owned by main.c. The given files are read as root before confinement; the state folder is written after it, as dnsd's
 * user, and is all that dnsd may write.
 *
 * root.given says from which anchor root.key was begun: when the operator or a package gives another one, root.key is
 * begun anew, whatever the dates of the files are.
 *
 * Root hints are handed to libunbound as a memfd by its name in /proc: no folder needs to be open for them. */
#include "dnsd/roots.h"

#include <cjson/cJSON.h>
#include <limits.h>

#include "base/ipc.h"
#include "base/log.h"
#include "dnsd/text_file.h"

#define SYSTEM_HINTS  "/usr/share/dns/root.hints"
#define SYSTEM_ANCHOR "/usr/share/dns/root.key"
#define HINTS_MAX     (256u << 10) /* bytes: those of the internet have 3,300 */
#define INSECURE_MAX  256u	   /* names; gateway.hujson allows as many */
#define FD_PATH	      "/proc/self/fd/%d"

struct roots {
	char *state, *given_name; /* or NULL */
	char kept_path[PATH_MAX], given_path[PATH_MAX];
	char hints_path[sizeof(FD_PATH) + 12];
	int hints_fd;
	struct text_file given;
	bool keeps; /* the state folder is usable */
	struct anchors anchors;
	struct dname insecure[INSECURE_MAX];
	struct dns_roots now;
};

static const char *member(const cJSON *config, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

static int hints_read(struct roots *r, const cJSON *config, struct err *e)
{
	const char *own = member(config, "rootHints"), *path = own != NULL ? own : SYSTEM_HINTS;
	struct text_file hints = { 0 };
	int rc = text_file_read(path, HINTS_MAX, &hints, e);

	if (rc != 0)
		return own != NULL ? rc : 0;
	rc = memfd_sealed("root.hints", hints.buf, hints.len, &r->hints_fd, e);
	free(hints.buf);
	if (rc != 0)
		return rc;
	snprintf(r->hints_path, sizeof(r->hints_path), FD_PATH, r->hints_fd);
	r->now.hints = r->hints_path;
	r->now.hints_own = own != NULL;
	return 0;
}

static int given_read(struct roots *r, const cJSON *config, struct err *e)
{
	const char *own = member(config, "trustAnchor"), *path = own != NULL ? own : SYSTEM_ANCHOR;
	int rc = text_file_read(path, ANCHOR_FILE_MAX, &r->given, e);

	if (rc != 0)
		return own != NULL ? rc : 0;
	r->given_name = strdup(path);
	if (r->given_name == NULL)
		return err_set(e, -ENOMEM, "%s", path);
	rc = anchors_read(path, r->given.buf, r->given.len, &r->anchors, e);
	r->now.anchors = r->anchors.text;
	return rc;
}

static int insecure_read(struct roots *r, const cJSON *config, struct err *e)
{
	const cJSON *name;

	cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(config, "insecure"))
	{
		if (!cJSON_IsString(name) || r->now.n_insecure == INSECURE_MAX ||
		    dname_parse(name->valuestring, strlen(name->valuestring), &r->insecure[r->now.n_insecure]) != 0)
			return err_set(e, -EBADMSG, "CONFIG: insecure");
		r->now.n_insecure++;
	}
	r->now.insecure = r->insecure;
	return 0;
}

static int state_take(struct roots *r, const cJSON *config, struct err *e)
{
	const char *state = member(config, "state");

	if (state == NULL)
		return 0;
	r->state = strdup(state);
	if (r->state == NULL)
		return err_set(e, -ENOMEM, "%s", state);
	if ((size_t)snprintf(r->kept_path, sizeof(r->kept_path), "%s/root.key", state) >= sizeof(r->kept_path) ||
	    (size_t)snprintf(r->given_path, sizeof(r->given_path), "%s/root.given", state) >= sizeof(r->given_path))
		return err_set(e, -ENAMETOOLONG, "%s: too long", state);
	return 0;
}

int roots_new(const cJSON *config, struct roots **ret, struct err *e)
{
	const cJSON *hold_down = cJSON_GetObjectItemCaseSensitive(config, "holdDown");
	struct roots *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return err_set(e, -ENOMEM, "roots");
	r->hints_fd = -1;
	r->now.dnssec = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(config, "dnssec"));
	if (cJSON_IsNumber(hold_down) && hold_down->valuedouble >= 1 && hold_down->valuedouble <= UINT32_MAX)
		r->now.anchor_hold_down_s = (uint32_t)hold_down->valuedouble;
	rc = hints_read(r, config, e);
	if (rc == 0)
		rc = given_read(r, config, e);
	if (rc == 0)
		rc = insecure_read(r, config, e);
	if (rc == 0)
		rc = state_take(r, config, e);
	if (rc != 0) {
		(void)roots_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

struct roots *roots_free(struct roots *r)
{
	if (r == NULL)
		return NULL;
	fd_closep(&r->hints_fd);
	anchors_done(&r->anchors);
	free(r->given.buf);
	free(r->given_name);
	free(r->state);
	free(r);
	return NULL;
}

const char *roots_state(const struct roots *r)
{
	return r->state;
}

static bool begun_from_given(const struct roots *r)
{
	struct text_file t = { 0 };
	struct err e;
	bool same = text_file_read(r->given_path, ANCHOR_FILE_MAX, &t, &e) == 0 && t.len == r->given.len &&
		    memcmp(t.buf, r->given.buf, t.len) == 0;

	free(t.buf);
	return same;
}

static void anchors_set(struct roots *r, struct anchors *a)
{
	anchors_done(&r->anchors);
	r->anchors = *a;
	r->now.anchors = r->anchors.text;
}

void roots_begin(struct roots *r)
{
	struct anchors kept = { 0 };
	struct err e = { 0 };
	bool same;

	if (r->state == NULL || r->given.buf == NULL)
		return;
	same = begun_from_given(r);
	if (same && anchors_read_file(r->kept_path, &kept, &e) == 0) {
		anchors_set(r, &kept);
		r->keeps = true;
		return;
	}
	if (same)
		log_event(LOG_ERR, "dnsd.anchor_damaged", "error=\"%s\" now=\"%s\"", e.msg, r->given_name);
	if (text_file_write(r->kept_path, &r->given, &e) != 0 || text_file_write(r->given_path, &r->given, &e) != 0) {
		log_event(LOG_ERR, "dnsd.anchor_unkept", "error=\"%s\" now=\"%s\"", e.msg, r->given_name);
		return;
	}
	r->keeps = true;
	log_event(LOG_NOTICE, "dnsd.anchor_begun", "file=%s from=%s keys=%u", r->kept_path, r->given_name,
		  r->anchors.n);
}

const char *roots_kept_file(const struct roots *r)
{
	return r->keeps ? r->kept_path : NULL;
}

int roots_reread(struct roots *r, struct err *e)
{
	struct anchors kept = { 0 };
	int rc = anchors_read_file(r->kept_path, &kept, e);
	bool same;

	if (rc != 0)
		return rc;
	same = strcmp(kept.text, r->anchors.text) == 0;
	anchors_set(r, &kept);
	return same ? 0 : 1;
}

const struct dns_roots *roots_now(const struct roots *r)
{
	return &r->now;
}

const struct anchors *roots_anchors(const struct roots *r)
{
	return &r->anchors;
}
