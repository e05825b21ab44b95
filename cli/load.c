/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A policy and its device list from files. A file that cannot be read is a diagnostic at its first line, so that
 * whoever reads the JSON lines learns of it in the same way. */
#include "cli/load.h"

#include <fcntl.h>
#include <time.h>

/* Trees of the largest files that source.h allows take less; what takes more is no policy. */
#define CLI_MEMORY_MAX_BYTES (3ull << 30)

/* All of @fd in @buf of @room bytes. The length, or negative errno. */
static ssize_t read_all(int fd, char *buf, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, buf + len, room - len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

struct source *cli_source_load(struct arena *mem, const char *file, struct diag_list *diags)
{
	CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
	/* One byte more than allowed, to tell a file that is too long. */
	CLEANUP(freep) char *text = malloc(SOURCE_MAX_BYTES + 1);
	ssize_t len = fd == -1 ? -errno : -ENOMEM;
	struct source *src;

	if (fd != -1 && text != NULL)
		len = read_all(fd, text, SOURCE_MAX_BYTES + 1);
	src = len >= 0 ? source_new(mem, file, text, (size_t)len) : NULL;
	if (src != NULL)
		return src;
	src = source_new(mem, file, "", 0);
	if (src == NULL)
		return NULL;
	if (len > (ssize_t)SOURCE_MAX_BYTES)
		(void)diag_add(diags, DIAG_ERROR, "P0012", src, (struct span){ 0, 0 }, "longer than %u bytes",
			       SOURCE_MAX_BYTES);
	else
		(void)diag_add(diags, DIAG_ERROR, "P0011", src, (struct span){ 0, 0 }, "cannot be read: %s",
			       strerror(len < 0 ? (int)-len : ENOMEM));
	return NULL;
}

/* What a policy without a device list is checked against: nobody. */
static struct doc_devices *devices_empty(struct arena *mem, const char *name)
{
	struct doc_devices *d = arena_alloc(mem, sizeof(*d));
	const char **users = arena_alloc(mem, sizeof(*users));

	if (d == NULL || users == NULL)
		return NULL;
	d->src = source_new(mem, name, "", 0);
	d->users = users;
	return d->src != NULL ? d : NULL;
}

int cli_policy_load(const char *policy_file, const char *devices_file, struct cli_policy *ret)
{
	struct source *src;

	memset(ret, 0, sizeof(*ret));
	ret->mem = arena_new(CLI_MEMORY_MAX_BYTES);
	if (ret->mem == NULL)
		return -ENOMEM;
	diag_init(&ret->diags, ret->mem);
	ret->has_devices = devices_file != NULL;

	src = cli_source_load(ret->mem, policy_file, &ret->diags);
	if (src != NULL)
		ret->policy = document_policy(ret->mem, src, &ret->diags);
	if (devices_file == NULL) {
		ret->devices = devices_empty(ret->mem, policy_file);
	} else {
		src = cli_source_load(ret->mem, devices_file, &ret->diags);
		if (src != NULL)
			ret->devices = document_devices(ret->mem, src, &ret->diags);
	}
	if (ret->policy != NULL && ret->devices != NULL)
		document_check_devices(ret->policy, ret->devices, &ret->diags);
	return ret->policy != NULL && ret->devices != NULL && ret->diags.n_errors == 0 ? 0 : -EINVAL;
}

void cli_policy_done(struct cli_policy *p)
{
	p->mem = arena_free(p->mem);
}

void cli_policy_print(const struct cli_policy *p, enum cli_output how)
{
	if (how == CLI_JSON)
		diag_print_json(&p->diags, stdout);
	else
		diag_print(&p->diags, stderr);
}

struct compile_env cli_compile_env(void)
{
	return (struct compile_env){ .now_s = (int64_t)time(NULL) };
}
