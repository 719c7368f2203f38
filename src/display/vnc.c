/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VNC server: libvncserver on a thread of its own.
 *
 * The thread sleeps in select() without a time-out while no viewer is connected, or none waits for
 * an update; so an idle guest costs nothing, and a viewer that does not take what it was sent is
 * not sent more. While one waits, the screen is looked at about 30 times a second, less and less
 * often (down to four times) while nothing changes, and at once again when somebody types. The
 * guest is held up by none of that: the bus lock is taken for copying registers and for a key,
 * never while a byte is sent.
 *
 * Sockets are listened on and accepted here, since the library knows neither unix sockets nor a
 * search for a free port. Its screen has no cursor of its own: the guest draws one.
 *
 * Beside the thread, the control thread sets passwords, asks for the list of viewers, and ends it
 * all: `lock` is for those.
 */
#include "display/vnc.h"

#include <errno.h>
#include <pthread.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "display/scanout.h"

#define VIEWERS	     16u
#define PERIOD_MIN   (33 * NS_PER_MS)
#define PERIOD_MAX   (250 * NS_PER_MS)
#define STALL_MS     5000 /* a viewer that takes nothing for so long is dropped */
#define PASSWORD_MAX 8u
#define WHEEL_UP     0x08
#define WHEEL_DOWN   0x10

struct viewer {
	struct vnc *v;
	int fd; /* -1: free */
	char host[64];
};

struct vnc {
	struct vnc_listen at;
	struct i8042 *keyboard;
	struct scanout screen;
	struct keyboard keys;
	char title[80];
	bool ask_password;
	rfbScreenInfoPtr rfb;
	pthread_t thread;
	bool threaded;
	int wake;

	/* The thread's. */
	unsigned nviewers;
	uint64_t period, next; /* ns: when the screen is looked at again */
	int last_x, last_y;    /* of the pointer; -1: not known */

	pthread_mutex_t lock; /* the following */
	bool stop;
	struct viewer viewer[VIEWERS];
	char password[PASSWORD_MAX + 1]; /* "": nobody gets in */
	time_t expires;			 /* 0: never */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* --- the picture ---------------------------------------------------------------------------- */

static void on_resized(void *opaque, unsigned width, unsigned height)
{
	struct vnc *v = opaque;

	rfbNewFramebuffer(v->rfb, (char *)v->screen.pix, (int)width, (int)height, 8, 3, 4);
}

static void on_changed(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h)
{
	struct vnc *v = opaque;

	rfbMarkRectAsModified(v->rfb, (int)x, (int)y, (int)(x + w), (int)(y + h));
}

/* Does a viewer wait for what changes? */
static bool awaited(const struct vnc *v)
{
	rfbClientIteratorPtr i = rfbGetClientIterator(v->rfb);
	rfbClientPtr cl;
	bool any = false;

	while ((cl = rfbClientIteratorNext(i)))
		any |= cl->state == RFB_NORMAL && !sraRgnEmpty(cl->requestedRegion);
	rfbReleaseClientIterator(i);
	return any;
}

static void refresh(struct vnc *v)
{
	const struct scanout_user user = {on_resized, on_changed, v};

	if (scanout_refresh(&v->screen, &user))
		v->period = PERIOD_MIN;
	else
		v->period = MIN(v->period * 5 / 4, PERIOD_MAX);
	v->next = now_ns() + v->period;
}

/* Somebody does something: the answer is to be seen soon. */
static void hurry(struct vnc *v)
{
	v->period = PERIOD_MIN;
	v->next = MIN(v->next, now_ns() + PERIOD_MIN);
}

/* --- what viewers do ------------------------------------------------------------------------- */

static void on_key(rfbBool down, rfbKeySym sym, rfbClientPtr cl)
{
	struct vnc *v = cl->screen->screenData;

	keyboard_symbol(&v->keys, sym, down);
	hurry(v);
}

static void on_pointer(int mask, int x, int y, rfbClientPtr cl)
{
	struct vnc *v = cl->screen->screenData;
	int dx = v->last_x < 0 ? 0 : x - v->last_x, dy = v->last_y < 0 ? 0 : y - v->last_y;
	unsigned buttons = (mask & 1 ? BUTTON_LEFT : 0) | (mask & 2 ? BUTTON_MIDDLE : 0) |
			   (mask & 4 ? BUTTON_RIGHT : 0);

	v->last_x = x;
	v->last_y = y;
	ps2_mouse(v->keyboard, dx, dy, (mask & WHEEL_DOWN ? 1 : 0) - (mask & WHEEL_UP ? 1 : 0),
		  buttons);
	hurry(v);
}

/* The guest has nobody who would take a clipboard. */
static void on_cut_text(char *text, int len, rfbClientPtr cl)
{
	(void)text;
	(void)len;
	(void)cl;
}

static rfbBool on_password(rfbClientPtr cl, const char *response, int len)
{
	struct vnc *v = cl->screen->screenData;
	char password[PASSWORD_MAX + 1];
	unsigned char want[CHALLENGESIZE], differs = 0;
	bool open;

	pthread_mutex_lock(&v->lock);
	memcpy(password, v->password, sizeof(password));
	open = password[0] && (!v->expires || time(NULL) < v->expires);
	pthread_mutex_unlock(&v->lock);
	if (len != CHALLENGESIZE)
		return FALSE;
	memcpy(want, cl->authChallenge, sizeof(want));
	rfbEncryptBytes(want, password);
	for (unsigned i = 0; i < CHALLENGESIZE; i++)
		differs |= want[i] ^ (unsigned char)response[i];
	return open && !differs;
}

static void on_gone(rfbClientPtr cl)
{
	struct viewer *w = cl->clientData;
	struct vnc *v = w->v;

	pthread_mutex_lock(&v->lock);
	w->fd = -1;
	pthread_mutex_unlock(&v->lock);
	/* Keys that it held down would stay so for ever. */
	keyboard_release(&v->keys);
	v->last_x = v->last_y = -1;
	if (!--v->nviewers)
		vga_watch(v->screen.vga, false);
}

static enum rfbNewClientAction on_new(rfbClientPtr cl)
{
	struct vnc *v = cl->screen->screenData;
	struct viewer *w = NULL;

	pthread_mutex_lock(&v->lock);
	for (unsigned i = 0; i < VIEWERS && !w; i++)
		if (v->viewer[i].fd < 0)
			w = &v->viewer[i];
	if (w) {
		w->fd = cl->sock;
		snprintf(w->host, sizeof(w->host), "%s", v->at.path ? "local" : cl->host);
	}
	pthread_mutex_unlock(&v->lock);
	if (!w)
		return RFB_CLIENT_REFUSE;
	cl->clientData = w;
	cl->clientGoneHook = on_gone;
	if (!v->nviewers++) {
		vga_watch(v->screen.vga, true);
		scanout_forget(&v->screen);
	}
	/* Its first update is of what is there now. */
	hurry(v);
	v->next = 0;
	refresh(v);
	return RFB_CLIENT_ACCEPT;
}

/* --- the thread ------------------------------------------------------------------------------ */

static void accept_all(struct vnc *v, int listen)
{
	for (;;) {
		int fd = accept4(listen, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		/* What select() cannot watch cannot be served. */
		if (fd >= FD_SETSIZE)
			close(fd);
		else
			rfbNewClient(v->rfb, fd);
	}
}

/* Sleeps until there is something to do. */
static void wait_some(struct vnc *v, fd_set *set)
{
	uint64_t now = now_ns(), left = v->next > now ? v->next - now : 0;
	bool timed = v->nviewers && awaited(v);
	struct timeval tv = {.tv_sec = (time_t)(left / NS_PER_S),
			     .tv_usec = (suseconds_t)(left % NS_PER_S / 1000)};
	int max = v->rfb->maxFd;

	*set = v->rfb->allFds;
	FD_SET(v->wake, set);
	max = MAX(max, v->wake);
	for (unsigned i = 0; i < VNC_SOCKETS; i++) {
		if (v->at.fd[i] < 0)
			continue;
		FD_SET(v->at.fd[i], set);
		max = MAX(max, v->at.fd[i]);
	}
	if (select(max + 1, set, NULL, NULL, timed ? &tv : NULL) < 0)
		FD_ZERO(set);
}

static bool stopped(struct vnc *v)
{
	bool stop;

	pthread_mutex_lock(&v->lock);
	stop = v->stop;
	pthread_mutex_unlock(&v->lock);
	return stop;
}

static void *run(void *arg)
{
	struct vnc *v = arg;
	fd_set set;

	while (!stopped(v)) {
		wait_some(v, &set);
		for (unsigned i = 0; i < VNC_SOCKETS; i++)
			if (v->at.fd[i] >= 0 && FD_ISSET(v->at.fd[i], &set))
				accept_all(v, v->at.fd[i]);
		rfbProcessEvents(v->rfb, 0);
		if (v->nviewers && now_ns() >= v->next && awaited(v)) {
			refresh(v);
			rfbProcessEvents(v->rfb, 0);
		}
	}
	rfbShutdownServer(v->rfb, TRUE);
	return NULL;
}

/* --- the server ------------------------------------------------------------------------------ */

static void send_key(void *opaque, unsigned key, bool down)
{
	struct vnc *v = opaque;

	ps2_key(v->keyboard, key, down);
}

static unsigned read_leds(void *opaque)
{
	struct vnc *v = opaque;

	return ps2_leds(v->keyboard);
}

static int make_screen(struct vnc *v, struct err *e)
{
	rfbScreenInfoPtr s;

	rfbLogEnable(FALSE);
	s = rfbGetScreen(NULL, NULL, 640, 480, 8, 3, 4);
	if (!s)
		return err_set(e, ENOMEM, "-vnc: no memory");
	v->rfb = s;
	s->frameBuffer = (char *)v->screen.pix;
	s->screenData = v;
	s->desktopName = v->title;
	s->cursor = NULL;
	s->alwaysShared = TRUE;
	s->deferUpdateTime = 0;
	s->maxClientWait = STALL_MS;
	s->handleEventsEagerly = TRUE;
	s->port = s->ipv6port = 0;
	s->kbdAddEvent = on_key;
	s->ptrAddEvent = on_pointer;
	s->setXCutText = on_cut_text;
	s->newClientHook = on_new;
	if (v->ask_password) {
		s->authPasswdData = v;
		s->passwordCheck = on_password;
	}
	rfbInitServer(s);
	return 0;
}

static int start(struct vnc *v, struct err *e)
{
	int rc = pthread_create(&v->thread, NULL, run, v);

	if (rc)
		return err_set(e, rc, "-vnc: no thread: %s", strerror(rc));
	v->threaded = true;
	pthread_setname_np(v->thread, "vnc");
	return 0;
}

static int check_fds(const struct vnc *v, struct err *e)
{
	int max = v->wake;

	for (unsigned i = 0; i < VNC_SOCKETS; i++)
		max = MAX(max, v->at.fd[i]);
	return max < FD_SETSIZE
		       ? 0
		       : err_set(e, EMFILE, "-vnc: more than %d files are open", FD_SETSIZE);
}

struct vnc *vnc_new(const struct vnc_conf *c, struct err *e)
{
	struct vnc *v = calloc(1, sizeof(*v));
	int rc;

	if (!v) {
		err_set(e, ENOMEM, "-vnc: no memory");
		return NULL;
	}
	pthread_mutex_init(&v->lock, NULL);
	for (unsigned i = 0; i < VIEWERS; i++)
		v->viewer[i] = (struct viewer){.v = v, .fd = -1};
	v->at.fd[0] = v->at.fd[1] = -1;
	v->keyboard = c->keyboard;
	v->keys = (struct keyboard){
		.layout = c->layout, .key = send_key, .leds = read_leds, .opaque = v};
	v->ask_password = c->opts->password;
	v->last_x = v->last_y = -1;
	v->period = PERIOD_MIN;
	snprintf(v->title, sizeof(v->title), "vmwire%s%s%s", c->name ? " (" : "",
		 c->name ? c->name : "", c->name ? ")" : "");
	v->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = v->wake < 0 ? err_set(e, errno, "-vnc: %s", strerror(errno)) : 0;
	if (!rc)
		rc = vnc_listen(&v->at, c->opts, e);
	if (!rc)
		rc = check_fds(v, e);
	if (!rc)
		rc = scanout_init(&v->screen, c->vga, e);
	if (!rc)
		rc = make_screen(v, e);
	if (!rc)
		rc = start(v, e);
	if (!rc)
		return v;
	vnc_free(v);
	return NULL;
}

void vnc_free(struct vnc *v)
{
	const uint64_t one = 1;

	if (!v)
		return;
	if (v->threaded) {
		pthread_mutex_lock(&v->lock);
		v->stop = true;
		/* A viewer that takes nothing must not hold the end up. */
		for (unsigned i = 0; i < VIEWERS; i++)
			if (v->viewer[i].fd >= 0)
				shutdown(v->viewer[i].fd, SHUT_RDWR);
		pthread_mutex_unlock(&v->lock);
		if (write(v->wake, &one, sizeof(one)) < 0)
			log_warn("-vnc: cannot wake the server: %s", strerror(errno));
		pthread_join(v->thread, NULL);
	}
	if (v->rfb)
		rfbScreenCleanup(v->rfb);
	scanout_exit(&v->screen);
	vnc_listen_end(&v->at);
	if (v->wake >= 0)
		close(v->wake);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

const char *vnc_where(const struct vnc *v)
{
	return v->at.where;
}

int vnc_set_password(struct vnc *v, const char *password, struct err *e)
{
	if (!v->ask_password)
		return err_set(e, EINVAL,
			       "the VNC server asks for no password: start it with -vnc "
			       "…,password=on");
	pthread_mutex_lock(&v->lock);
	snprintf(v->password, sizeof(v->password), "%.*s", (int)PASSWORD_MAX, password);
	v->expires = 0;
	pthread_mutex_unlock(&v->lock);
	return 0;
}

void vnc_expire_password(struct vnc *v, time_t when)
{
	pthread_mutex_lock(&v->lock);
	v->expires = when;
	pthread_mutex_unlock(&v->lock);
}

void vnc_info(struct vnc *v, void (*line)(void *opaque, const char *text), void *opaque)
{
	char text[256];
	unsigned n = 0;

	snprintf(text, sizeof(text), "server %s, password: %s", v->at.where,
		 v->ask_password ? "on" : "off");
	line(opaque, text);
	for (unsigned i = 0; i < VIEWERS; i++) {
		char host[sizeof(v->viewer[i].host)];
		bool used;

		pthread_mutex_lock(&v->lock);
		used = v->viewer[i].fd >= 0;
		memcpy(host, v->viewer[i].host, sizeof(host));
		pthread_mutex_unlock(&v->lock);
		if (!used)
			continue;
		snprintf(text, sizeof(text), "  viewer %u: %s", ++n, host);
		line(opaque, text);
	}
	if (!n)
		line(opaque, "  no viewer is connected");
}
