/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice quarantine DEVICE`: the device's state into devices.hujson, then into force.
 *
 * What is in force is the file: it outlives gatewayd, a restart finds it, and a person can read it; a list of its own
 * in gatewayd's memory would be a second truth. But only the device list is read anew, under the policy in force: at
 * two in the morning a half-written policy.hujson must neither keep a device online nor come into force along with it.
 */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/load.h"
#include "cli/replace.h"
#include "policy/device_edit.h"

#include <getopt.h>
#include <stdarg.h>

static const char help[] =
	"usage: sluice quarantine [--config FILE] [--release] [--json] DEVICE\n\n"
	"Puts the device, named by its name or an address, into quarantine: nothing of it passes any more, not even "
	"DNS,\n"
	"and its live flows are cut. --release makes it active again. The state is written into the device file, "
	"whose\n"
	"comments and layout stay, and the running gateway reads that file, and only that file, again.\n"
	"Exit status: 0 it is in force; 1 it is not, or is not known to be, and why is said; 2 usage.\n";

struct options {
	const char *config, *device;
	bool release, json;
};

struct outcome {
	const char *name;
	enum device_state was;
	bool written;	   /* into the file, now */
	bool nothing_open; /* pending or expired: nothing of it passes, and that is left so */
	bool in_force;
	bool new_only;	 /* the table is; live flows could not be looked at yet */
	char error[512]; /* why not */
	cJSON *answer;	 /* the gateway's; NULL: none came */
};

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "release", no_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:rjh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			ret->config = optarg;
			break;
		case 'r':
			ret->release = true;
			break;
		case 'j':
			ret->json = true;
			break;
		default:
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if (argc - optind != 1) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	ret->device = argv[optind];
	return -1;
}

static int failed(struct outcome *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int failed(struct outcome *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(o->error, sizeof(o->error), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* What the file says of the device, and what it has to say. */
static int state_write(const char *file, const struct options *o, struct arena *mem, struct outcome *ret)
{
	enum device_state to = o->release ? DEVICE_ACTIVE : DEVICE_QUARANTINED;
	struct diag_list diags;
	struct device_edit edit;
	struct source *src;
	int r;

	diag_init(&diags, mem);
	src = cli_source_load(mem, file, &diags);
	r = src != NULL ? device_edit_state(mem, src, o->device, to, &diags, &edit) : -EINVAL;
	/* Of other devices, and not new: only what stands in the way. */
	if (diags.n_errors != 0)
		diag_print(&diags, stderr);
	if (r == -ENOENT)
		return failed(ret, "%s has no device with the name or address %s", file, o->device);
	if (r < 0)
		return failed(ret, "%s %s: mend it, then ask again", file,
			      r == -EINVAL ? "cannot be used" : strerror(-r));
	ret->name = edit.name;
	ret->was = edit.was;
	ret->nothing_open = edit.was == DEVICE_PENDING || edit.was == DEVICE_EXPIRED;
	if (ret->nothing_open || edit.was == to)
		return 0;
	r = file_rewrite(file, edit.text, edit.len);
	if (r < 0)
		return failed(ret, "%s cannot be written: %s", file, strerror(-r));
	ret->written = true;
	return 0;
}

/* Also where the file said so before: it may not have been in force. */
static int put_into_force(const struct cli_gateway *g, struct outcome *ret)
{
	const cJSON *why;
	struct err e = { 0 };
	int r = control_request(g, "{\"cmd\":\"reload\",\"only\":\"devices\"}", &ret->answer, &e);

	if (r < 0)
		return failed(ret, "%s; the kernel's table is as it was, and changes when sluice-gatewayd is started",
			      e.msg);
	ret->new_only = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(ret->answer, "cut_pending"));
	if (ret->new_only)
		return failed(ret,
			      "no new flow passes, but live ones could not be looked at; the gateway tries again each "
			      "second (its log says when: revoke.late)");
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(ret->answer, "ok"))) {
		ret->in_force = true;
		return 0;
	}
	why = cJSON_GetObjectItemCaseSensitive(ret->answer, "diagnostics");
	if (!cJSON_IsString(why))
		why = cJSON_GetObjectItemCaseSensitive(ret->answer, "error");
	return failed(ret, "the gateway refuses: %s", cJSON_IsString(why) ? why->valuestring : "no reason given");
}

static const char *state_of(const struct options *o, const struct outcome *out)
{
	if (out->nothing_open)
		return out->was == DEVICE_PENDING ? "pending" : "expired";
	return o->release ? "active" : "quarantined";
}

static void print_json(const struct options *o, const struct outcome *out)
{
	static const char *const taken[] = { "generation", "flows", "cut", "cut_ms", "cut_by" };
	cJSON *j = cJSON_CreateObject();
	char *text;

	(void)cJSON_AddStringToObject(j, "device", out->name != NULL ? out->name : o->device);
	if (out->name != NULL)
		(void)cJSON_AddStringToObject(j, "state", state_of(o, out));
	(void)cJSON_AddBoolToObject(j, "written", out->written);
	(void)cJSON_AddBoolToObject(j, "in_force", out->in_force);
	for (size_t i = 0; out->in_force && i < ARRAY_LEN(taken); i++) {
		cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(out->answer, taken[i]);

		if (item != NULL)
			(void)cJSON_AddItemToObject(j, taken[i], item);
	}
	if (!out->in_force)
		(void)cJSON_AddStringToObject(j, "error", out->error);
	text = cJSON_PrintUnformatted(j);
	puts(text != NULL ? text : "{}");
	free(text);
	cJSON_Delete(j);
}

static void print_text(const struct options *o, const struct outcome *out, const char *file)
{
	const cJSON *cut = cJSON_GetObjectItemCaseSensitive(out->answer, "cut");
	const cJSON *ms = cJSON_GetObjectItemCaseSensitive(out->answer, "cut_ms");
	const char *before = out->written ? "" : " already";

	if (!out->in_force) {
		fprintf(stderr, "sluice: quarantine: %s\n", out->error);
		if (out->name != NULL)
			fprintf(stderr, "sluice: quarantine: %s: %s is %s%s%s\n", out->name,
				o->release ? "its release" : "its quarantine",
				out->new_only ? "IN FORCE FOR NEW FLOWS ONLY" : "NOT IN FORCE",
				out->written ? "; it is written in " : "", out->written ? file : "");
		return;
	}
	if (out->nothing_open)
		printf("%s is %s, which lets nothing through either; left so\n", out->name, state_of(o, out));
	else
		printf("%s%s %s: %d flows cut in %.1f ms\n", out->name, before, o->release ? "released" : "quarantined",
		       cJSON_IsNumber(cut) ? cut->valueint : 0, cJSON_IsNumber(ms) ? ms->valuedouble : 0);
}

int cmd_quarantine(int argc, char **argv)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	CLEANUP(fd_closep) int lock = -1;
	struct cli_gateway g = { 0 };
	struct options o = { 0 };
	struct outcome out = { 0 };
	int exit_code = options_parse(argc, argv, &o);
	int r;

	if (exit_code >= 0)
		return exit_code;
	if (mem == NULL || cli_gateway_load(o.config, &g) < 0)
		return CLI_BAD_INPUT;
	lock = file_lock(g.doc->devices_file);
	r = lock < 0 ? failed(&out, "%s: %s", g.doc->devices_file, strerror(-lock))
		     : state_write(g.doc->devices_file, &o, mem, &out);
	fd_closep(&lock);
	if (r == 0)
		r = put_into_force(&g, &out);
	if (o.json)
		print_json(&o, &out);
	else
		print_text(&o, &out, g.doc->devices_file);
	cJSON_Delete(out.answer);
	cli_gateway_done(&g);
	return r == 0 ? CLI_OK : CLI_BAD_INPUT;
}
