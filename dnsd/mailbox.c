/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The only lock between threads, off the query path: a list behind a mutex, an eventfd to wake its reader. */
#include "dnsd/mailbox.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "dnsd/command.h"

struct mailbox {
	pthread_mutex_t lock;
	struct mail *first, **last;
	int wake_fd;
};

struct mailbox *mailbox_new(struct err *e)
{
	struct mailbox *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		(void)err_set(e, -ENOMEM, "mailbox");
		return NULL;
	}
	(void)pthread_mutex_init(&b->lock, NULL);
	b->last = &b->first;
	b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->wake_fd == -1) {
		(void)err_set(e, -errno, "eventfd: %s", strerror(errno));
		return mailbox_free(b);
	}
	return b;
}

struct mailbox *mailbox_free(struct mailbox *b)
{
	if (b == NULL)
		return NULL;
	for (struct mail *m = b->first, *next; m != NULL; m = next) {
		next = m->next;
		(void)mail_free(m);
	}
	(void)pthread_mutex_destroy(&b->lock);
	fd_closep(&b->wake_fd);
	free(b);
	return NULL;
}

struct mail *mail_free(struct mail *m)
{
	if (m == NULL)
		return NULL;
	fd_closep(&m->fd);
	SSL_CTX_free(m->tls);
	(void)snapshot_unref(m->snapshot);
	(void)command_free(m->command);
	free(m);
	return NULL;
}

int mailbox_fd(const struct mailbox *b)
{
	return b->wake_fd;
}

int mailbox_post(struct mailbox *b, const struct mail *m)
{
	struct mail *copy = malloc(sizeof(*copy));
	uint64_t one = 1;

	if (copy == NULL) {
		struct mail lost = *m;

		fd_closep(&lost.fd);
		SSL_CTX_free(lost.tls);
		(void)snapshot_unref(lost.snapshot);
		(void)command_free(lost.command);
		return -ENOMEM;
	}
	*copy = *m;
	copy->next = NULL;
	(void)pthread_mutex_lock(&b->lock);
	*b->last = copy;
	b->last = &copy->next;
	(void)pthread_mutex_unlock(&b->lock);
	/* Cannot fail but for a counter that is full: then the reader is woken already. */
	ssize_t n = write(b->wake_fd, &one, sizeof(one));

	(void)n;
	return 0;
}

struct mail *mailbox_take(struct mailbox *b)
{
	struct mail *first;
	uint64_t count;
	ssize_t n = read(b->wake_fd, &count, sizeof(count));

	(void)n; /* nothing to read: then there is no mail, or it is just being put in and wakes us again */
	(void)pthread_mutex_lock(&b->lock);
	first = b->first;
	b->first = NULL;
	b->last = &b->first;
	(void)pthread_mutex_unlock(&b->lock);
	return first;
}
