/* A PKCS#11 module that stands before another one, counts its signatures and spoils them.
 *
 *   FAULT_PKCS11_REAL     path of the module behind it
 *   FAULT_PKCS11_CONTROL  file with the fault that is switched on, one line, see below
 *   FAULT_PKCS11_COUNT    file to which each C_Sign adds a line: key handle, label, CK_RV
 *   FAULT_PKCS11_MET      file to which each spoilt call adds a line: the fault's id, function
 *
 * The control file holds words "name=value"; what is not named is off:
 *
 *   id=N         a new number switches the fault on anew
 *   fn=NAMES     C_Sign (default), C_SignInit, C_OpenSession, C_FindObjectsInit, C_Login, several
 *                of them with commas between, or any
 *   only=WORD    in processes alone that have this word among their arguments
 *   rv=0xNN      the function answers this and does nothing
 *   n=N          for the next N calls only (default: until switched off)
 *   until=MS     until this time, milliseconds since 1970
 *   stall=MS     the function first waits so long, without holding any lock
 *   flip=1       C_Sign turns over one bit of the signature
 *   gone=1       there is no token: slots are empty, all that needs one fails
 *
 * Only declarations of the layout are needed, so none of the standard's headers is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long CK_ULONG;
typedef struct { CK_ULONG type; void *value; CK_ULONG length; } Attribute;
typedef struct { unsigned char major, minor; void *functions[68]; } FunctionList;

enum { /* places in CK_FUNCTION_LIST */
    GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18,
    GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS_INIT = 26, SIGN_INIT = 42, SIGN = 43
};
enum { OK = 0, DEVICE_REMOVED = 0x32, TOKEN_NOT_PRESENT = 0xE0, LABEL = 3, SESSIONS = 4096 };

static FunctionList *real, mine;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long seen_id, served;

typedef struct { CK_ULONG session, key; char label[64]; } Operation;
static Operation operations[SESSIONS];

typedef struct { long id, rv, n, stall, flip, gone; long long until; char fn[64], only[32]; } Fault;

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Whether this process was started with `word` among its arguments. */
static int has_argument(const char *word)
{
    char text[4096];
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1), at;
    if (file >= 0)
        close(file);
    text[length > 0 ? length : 0] = 0;
    for (at = 0; at < length; at += strlen(text + at) + 1)
        if (!strcmp(text + at, word))
            return 1;
    return 0;
}

/* Whether `name` is one of `names`, which have commas between them. */
static int is_named(const char *names, const char *name)
{
    size_t length = strlen(name);
    const char *at = names;
    while ((at = strstr(at, name)) != NULL) {
        if ((at == names || at[-1] == ',') && (at[length] == 0 || at[length] == ','))
            return 1;
        at += length;
    }
    return 0;
}

/* Add a line to the file that the environment variable `variable` names. */
static void note(const char *variable, const char *line, int length)
{
    const char *path = getenv(variable);
    int file;
    if (path == NULL || (file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        return;
    if (write(file, line, length) != length)
        abort(); /* a count that cannot be trusted is worse than none */
    close(file);
}

/* What the control file says at this moment; all zero when nothing is switched on. */
static Fault control(void)
{
    Fault fault = {0};
    char text[512] = "", *rest = text, *word;
    const char *path = getenv("FAULT_PKCS11_CONTROL");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    fault.rv = -1;
    fault.n = -1;
    strcpy(fault.fn, "C_Sign");
    if (file < 0)
        return fault;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    while ((word = strsep(&rest, " \n")) != NULL) {
        char *value = strchr(word, '=');
        if (value == NULL)
            continue;
        *value++ = 0;
        if (!strcmp(word, "id")) fault.id = atol(value);
        else if (!strcmp(word, "fn")) snprintf(fault.fn, sizeof fault.fn, "%s", value);
        else if (!strcmp(word, "only")) snprintf(fault.only, sizeof fault.only, "%s", value);
        else if (!strcmp(word, "rv")) fault.rv = strtol(value, NULL, 0);
        else if (!strcmp(word, "n")) fault.n = atol(value);
        else if (!strcmp(word, "until")) fault.until = atoll(value);
        else if (!strcmp(word, "stall")) fault.stall = atol(value);
        else if (!strcmp(word, "flip")) fault.flip = atol(value);
        else if (!strcmp(word, "gone")) fault.gone = atol(value);
    }
    if (fault.until && now_ms() >= fault.until)
        fault.id = 0;
    if (fault.id && fault.only[0] && !has_argument(fault.only))
        fault.id = 0;
    return fault;
}

/* Whether `function` is to be spoilt now; uses up one of the N calls. */
static int due(const char *function, Fault *fault)
{
    int hit;
    char line[64];
    *fault = control();
    if (fault->id == 0 || fault->gone)
        return 0;
    if (strcmp(fault->fn, "any") && !is_named(fault->fn, function))
        return 0;
    pthread_mutex_lock(&lock);
    if (seen_id != fault->id) {
        seen_id = fault->id;
        served = 0;
    }
    hit = fault->n < 0 || served < fault->n;
    served += hit;
    pthread_mutex_unlock(&lock);
    if (hit)
        note("FAULT_PKCS11_MET", line, snprintf(line, sizeof line, "%ld %s\n", fault->id, function));
    return hit;
}

static int gone(void)
{
    Fault fault = control();
    return fault.id != 0 && fault.gone;
}

static void stall(const Fault *fault)
{
    struct timespec t = { fault->stall / 1000, fault->stall % 1000 * 1000000 };
    if (fault->stall)
        nanosleep(&t, NULL);
}

/* Whether `function` is to answer `rv` instead of the real thing; stalls first. */
static int spoilt(const char *function, CK_ULONG *rv)
{
    Fault fault;
    if (!due(function, &fault))
        return 0;
    stall(&fault);
    *rv = fault.rv;
    return fault.rv >= 0;
}

static CK_ULONG get_slot_list(unsigned char present, CK_ULONG *slots, CK_ULONG *count)
{
    if (present && gone()) {
        *count = 0;
        return OK;
    }
    return ((CK_ULONG (*)(unsigned char, CK_ULONG *, CK_ULONG *))real->functions[GET_SLOT_LIST])(
        present, slots, count);
}

static CK_ULONG get_token_info(CK_ULONG slot, void *info)
{
    if (gone())
        return TOKEN_NOT_PRESENT;
    return ((CK_ULONG (*)(CK_ULONG, void *))real->functions[GET_TOKEN_INFO])(slot, info);
}

static CK_ULONG open_session(CK_ULONG slot, CK_ULONG flags, void *a, void *b, CK_ULONG *session)
{
    CK_ULONG rv;
    if (gone())
        return TOKEN_NOT_PRESENT;
    if (spoilt("C_OpenSession", &rv))
        return rv;
    return ((CK_ULONG (*)(CK_ULONG, CK_ULONG, void *, void *, CK_ULONG *))
            real->functions[OPEN_SESSION])(slot, flags, a, b, session);
}

static CK_ULONG login(CK_ULONG session, CK_ULONG user, void *pin, CK_ULONG length)
{
    CK_ULONG rv;
    if (gone())
        return TOKEN_NOT_PRESENT;
    if (spoilt("C_Login", &rv))
        return rv;
    return ((CK_ULONG (*)(CK_ULONG, CK_ULONG, void *, CK_ULONG))real->functions[LOGIN])(
        session, user, pin, length);
}

static CK_ULONG find_objects_init(CK_ULONG session, Attribute *template, CK_ULONG count)
{
    CK_ULONG rv;
    if (gone())
        return DEVICE_REMOVED;
    if (spoilt("C_FindObjectsInit", &rv))
        return rv;
    return ((CK_ULONG (*)(CK_ULONG, Attribute *, CK_ULONG))real->functions[FIND_OBJECTS_INIT])(
        session, template, count);
}

static CK_ULONG sign_init(CK_ULONG session, void *mechanism, CK_ULONG key)
{
    Operation operation = { session, key, "" };
    Attribute label = { LABEL, operation.label, sizeof operation.label - 1 };
    CK_ULONG rv;
    if (gone())
        return DEVICE_REMOVED;
    if (spoilt("C_SignInit", &rv))
        return rv;
    if (((CK_ULONG (*)(CK_ULONG, CK_ULONG, Attribute *, CK_ULONG))
         real->functions[GET_ATTRIBUTE_VALUE])(session, key, &label, 1) != OK)
        strcpy(operation.label, "?");
    rv = ((CK_ULONG (*)(CK_ULONG, void *, CK_ULONG))real->functions[SIGN_INIT])(
        session, mechanism, key);
    pthread_mutex_lock(&lock);
    operations[session % SESSIONS] = operation;
    pthread_mutex_unlock(&lock);
    return rv;
}

static void count(CK_ULONG session, CK_ULONG rv)
{
    char line[160];
    Operation operation;
    pthread_mutex_lock(&lock);
    operation = operations[session % SESSIONS];
    pthread_mutex_unlock(&lock);
    note("FAULT_PKCS11_COUNT", line,
         snprintf(line, sizeof line, "%lu %s 0x%lX\n", operation.key, operation.label, rv));
}

static CK_ULONG sign(CK_ULONG session, unsigned char *data, CK_ULONG size,
                     unsigned char *signature, CK_ULONG *length)
{
    Fault fault = {0};
    CK_ULONG rv;
    int hit = due("C_Sign", &fault);
    if (gone()) {
        count(session, DEVICE_REMOVED);
        return DEVICE_REMOVED;
    }
    if (hit)
        stall(&fault);
    if (hit && fault.rv >= 0) {
        count(session, fault.rv);
        return fault.rv;
    }
    rv = ((CK_ULONG (*)(CK_ULONG, unsigned char *, CK_ULONG, unsigned char *, CK_ULONG *))
          real->functions[SIGN])(session, data, size, signature, length);
    if (hit && fault.flip && rv == OK)
        signature[*length / 2] ^= 1;
    count(session, rv);
    return rv;
}

CK_ULONG C_GetFunctionList(FunctionList **list)
{
    pthread_mutex_lock(&lock);
    if (real == NULL) {
        const char *path = getenv("FAULT_PKCS11_REAL");
        void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        CK_ULONG (*get)(FunctionList **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
        if (get == NULL || get(&real) != OK) {
            real = NULL;
            pthread_mutex_unlock(&lock);
            return 5; /* CKR_GENERAL_ERROR */
        }
        mine = *real;
        mine.functions[GET_SLOT_LIST] = get_slot_list;
        mine.functions[GET_TOKEN_INFO] = get_token_info;
        mine.functions[OPEN_SESSION] = open_session;
        mine.functions[LOGIN] = login;
        mine.functions[FIND_OBJECTS_INIT] = find_objects_init;
        mine.functions[SIGN_INIT] = sign_init;
        mine.functions[SIGN] = sign;
    }
    pthread_mutex_unlock(&lock);
    *list = &mine;
    return OK;
}
