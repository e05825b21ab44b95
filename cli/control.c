/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/control.h"

#include "cli/cli.h"
#include "cli/load.h"
#include "policy/path.h"

#include <getopt.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The longest is that of `rules`: some 130 bytes a rule, of the hundred thousand that a plan may have. Memory that is
 * not written is not used. */
#define CONTROL_ANSWER_MAX (32u << 20)

static void paths_make_absolute(struct cli_gateway *g)
{
	struct doc_gateway *d = g->doc;

	d->policy_file = path_beside(g->mem, g->file, d->policy_file);
	d->devices_file = path_beside(g->mem, g->file, d->devices_file);
	d->state_dir = path_beside(g->mem, g->file, d->state_dir);
	d->run_dir = path_beside(g->mem, g->file, d->run_dir);
}

int cli_gateway_load(const char *file, struct cli_gateway *ret)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct cli_gateway g = { .file = file };
	struct diag_list diags;
	struct source *src;

	if (g.file == NULL)
		g.file = getenv("SLUICE_CONFIG");
	if (g.file == NULL)
		g.file = CLI_CONFIG_DEFAULT;
	if (mem == NULL)
		return -ENOMEM;
	diag_init(&diags, mem);
	src = cli_source_load(mem, g.file, &diags);
	g.doc = src != NULL ? document_gateway(mem, src, &diags) : NULL;
	diag_print(&diags, stderr);
	if (src == NULL)
		fputs("(--config FILE names another)\n", stderr);
	if (g.doc == NULL)
		return -EINVAL;
	g.mem = TAKE(mem);
	paths_make_absolute(&g);
	*ret = g;
	return 0;
}

void cli_gateway_done(struct cli_gateway *g)
{
	g->mem = arena_free(g->mem);
}

static int control_connect(const char *run_dir, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;

	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", run_dir) >= sizeof(sa.sun_path))
		return err_set(e, -ENAMETOOLONG, "%s: path of the control socket is too long", run_dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1)
		return err_set(e, -errno, "%s: %s (is sluice-gatewayd running?)", sa.sun_path, strerror(errno));
	return fd_take(&fd);
}

static int line_send(int fd, const char *line, struct err *e)
{
	size_t len = strlen(line), sent = 0;

	while (sent < len) {
		ssize_t n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);

		if (n == -1)
			return err_set(e, -errno, "control socket: %s", strerror(errno));
		sent += (size_t)n;
	}
	return send(fd, "\n", 1, MSG_NOSIGNAL) == 1 ? 0 : err_set(e, -EPIPE, "control socket: closed");
}

static int line_receive(int fd, char **ret, struct err *e)
{
	CLEANUP(freep) char *line = malloc(CONTROL_ANSWER_MAX + 1);
	size_t len = 0;

	if (line == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	while (len < CONTROL_ANSWER_MAX) {
		ssize_t n = read(fd, line + len, CONTROL_ANSWER_MAX - len);
		const char *end;

		if (n <= 0)
			return err_set(e, n == 0 ? -EPIPE : -errno, "control socket: the gateway closed it");
		line[len + (size_t)n] = '\0';
		end = memchr(line + len, '\n', (size_t)n);
		len += (size_t)n;
		if (end != NULL) {
			*ret = TAKE(line);
			return 0;
		}
	}
	return err_set(e, -E2BIG, "control socket: answer longer than %u bytes", CONTROL_ANSWER_MAX);
}

int control_request(const struct cli_gateway *g, const char *request, cJSON **ret, struct err *e)
{
	CLEANUP(freep) char *line = NULL;
	CLEANUP(fd_closep) int fd = control_connect(g->doc->run_dir, e);
	cJSON *answer;
	int r;

	if (fd < 0)
		return fd;
	r = line_send(fd, request, e);
	if (r == 0)
		r = line_receive(fd, &line, e);
	if (r < 0)
		return r;
	answer = cJSON_Parse(line);
	if (answer == NULL)
		return err_set(e, -EBADMSG, "control socket: the answer is not JSON");
	*ret = answer;
	return 0;
}

bool control_options_parse(int argc, char **argv, const char *help, int max_words, struct control_options *ret,
			   int *ret_exit)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			ret->config = optarg;
			break;
		case 'j':
			ret->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			*ret_exit = CLI_OK;
			return false;
		default:
			fputs(help, stderr);
			*ret_exit = CLI_USAGE;
			return false;
		}
	}
	if (argc - optind > max_words) {
		fputs(help, stderr);
		*ret_exit = CLI_USAGE;
		return false;
	}
	ret->word = argv[optind];
	return true;
}

cJSON *control_ask(const char *config, const char *request)
{
	struct cli_gateway g;
	struct err e = { 0 };
	cJSON *answer = NULL;

	if (cli_gateway_load(config, &g) < 0)
		return NULL;
	if (control_request(&g, request, &answer, &e) < 0)
		fprintf(stderr, "sluice: %s\n", e.msg);
	cli_gateway_done(&g);
	return answer;
}

const char *control_text(const cJSON *o, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	return text != NULL ? text : "-";
}
