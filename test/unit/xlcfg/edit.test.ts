import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyChange, bytesOf, byteString, CfgError, ChangeError, checkChange, parseCfg } from '../../../xlcfg/index.ts';
import type { CfgChange, SetValue } from '../../../xlcfg/index.ts';

const fixture = (name: string): string => byteString(readFileSync(join(import.meta.dirname, '../../fixtures/cfg', `${name}.cfg`)));
const apply = (text: string, change: CfgChange): string => byteString(applyChange(parseCfg(bytesOf(text)), change).bytes);
const set = (text: string, values: Record<string, SetValue>): string => apply(text, { set: values });

function refusal(text: string, change: unknown): ChangeError | CfgError {
  try {
    applyChange(parseCfg(bytesOf(text)), change as CfgChange);
  } catch (error) {
    if (error instanceof ChangeError || error instanceof CfgError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('set edits the value where it stands', () => {
  test.each<[string, string, Record<string, SetValue>, string]>([
    ['a bare number stays bare', 'memory = 512 # MiB\n', { memory: 1024 }, 'memory = 1024 # MiB\n'],
    ['a quoted number keeps its quotes', "memory  =  '512'\t# MiB\n", { memory: 1024 }, "memory  =  '1024'\t# MiB\n"],
    ['double quotes stay double', 'name="a" ; memory=1\n', { name: 'b' }, 'name="b" ; memory=1\n'],
    ['the other quotes where the value has the first', "name='a'\n", { name: "o'brien" }, 'name="o\'brien"\n'],
    ['both kinds of quotes and a backslash are escaped', "name='a'\n", { name: `'"\\` }, `name='\\'"\\\\'\n`],
    ['a number for a text is quoted', "name = 'a'\n", { name: 17 }, "name = '17'\n"],
    ['true is 1', 'vnc = 0\n', { vnc: true }, 'vnc = 1\n'],
    ['a negative number is quoted', 'rtc_timeoffset=0\n', { rtc_timeoffset: -3600 }, "rtc_timeoffset='-3600'\n"],
    ['one of several on a line', 'memory=512;vcpus=2\n', { vcpus: 4 }, 'memory=512;vcpus=4\n'],
    ['the last of duplicates', 'memory=1\nmemory=2\n', { memory: 3 }, 'memory=1\nmemory=3\n'],
    [
      'a key in a comment or in a string is none',
      "# memory = 1\nextra = 'memory=2'\n",
      { memory: 3 },
      "# memory = 1\nextra = 'memory=2'\nmemory = 3\n",
    ],
    ['added text gives way', "extra = 'a'\nextra += ' b' # more\n", { extra: 'c' }, "extra = 'a'\nextra = 'c' # more\n"],
    ['a number that xl would not add', 'memory += 512\n', { memory: 512 }, 'memory = 512\n'],
    ['octal is not what it seems', 'memory = 0512\n', { memory: 512 }, 'memory = 512\n'],
    ['hexadecimal of the same value stays', 'memory = 0x200\n', { memory: 512 }, 'memory = 0x200\n'],
    [
      'a list in place of a string that xl drops',
      "disk = 'phy:/dev/a,xvda,w'\n",
      { disk: ['phy:/dev/b,xvda,w'] },
      "disk = [ 'phy:/dev/b,xvda,w' ]\n",
    ],
    ['a key like a property of objects', 'constructor=1\n', { constructor: 2 }, 'constructor=2\n'],
    ['a new key on a line of its own, after a last line without end', "name = 'a'", { memory: 5 }, "name = 'a'\nmemory = 5\n"],
    ['a new key as the file writes them', "name='a';\n", { memory: 5, pool: 'p' }, "name='a';\nmemory=5\npool='p'\n"],
    ['a new key after a lone # at the end', 'vcpus=1 #', { memory: 5 }, 'vcpus=1 #\nmemory=5\n'],
    ['an empty file', '', { memory: 5 }, 'memory = 5\n'],
  ])('%s', (_promise, before, values, after) => {
    expect(set(before, values)).toBe(after);
    expect(set(after, values)).toBe(after);
  });

  test('null takes a key out, all of its statements, and leaves comments', () => {
    const before = "memory=1\nname='a' # who\nvcpus=1; memory=2; pool='p'\n  memory = [ # odd\n 1 ]\n";
    expect(set(before, { memory: null })).toBe("name='a' # who\nvcpus=1; pool='p'\n");
    expect(set(before, { name: null, nothing: null })).toBe(before.replace("name='a' ", ''));
  });

  test('Latin-1 bytes survive, and a new value is written in the encoding of the file', () => {
    const before = fixture('latin1');
    expect(set(before, { memory: 1024 })).toBe(before.replace('512', '1024'));
    expect(set(before, { name: 'Größe' })).toBe(before.replace('gaeste', 'Gr\xf6\xdfe'));
    expect(refusal(before, { set: { name: '✓' } }).message).toContain('Latin-1');
    expect(set(fixture('utf8'), { name: 'ö' })).toBe(fixture('utf8').replace("'utf'", "'\xc3\xb6'"));
  });
});

describe('set edits lists entry by entry', () => {
  const before = "disk = [ # all\n  'phy:/a,xvda,w', # one\n  \"phy:/b,xvdb,w\", # two\n  'phy:/c,xvdc,w'  # three\n]\n";
  test.each<[string, string[], string]>([
    ['an entry changed', ['phy:/a,xvda,w', 'phy:/x,xvdb,w', 'phy:/c,xvdc,w'], before.replace('/b', '/x')],
    ['the first gone', ['phy:/b,xvdb,w', 'phy:/c,xvdc,w'], before.replace("'phy:/a,xvda,w', # one", '# one')],
    ['the last gone', ['phy:/a,xvda,w', 'phy:/b,xvdb,w'], before.replace("'phy:/c,xvdc,w'", '')],
    [
      'one added at the end',
      ['phy:/a,xvda,w', 'phy:/b,xvdb,w', 'phy:/c,xvdc,w', 'phy:/d,xvdd,w'],
      before.replace("'  # three\n", "',  # three\n  'phy:/d,xvdd,w'\n"),
    ],
    [
      'one added between',
      ['phy:/a,xvda,w', 'phy:/d,xvdd,w', 'phy:/b,xvdb,w', 'phy:/c,xvdc,w'],
      before.replace('# one\n', "# one\n  'phy:/d,xvdd,w',\n"),
    ],
    [
      'one added in front',
      ['phy:/d,xvdd,w', 'phy:/a,xvda,w', 'phy:/b,xvdb,w', 'phy:/c,xvdc,w'],
      before.replace("'phy:/a", "'phy:/d,xvdd,w', 'phy:/a"),
    ],
    ['all gone', [], 'disk = [ # all\n  # one\n  # two\n    # three\n]\n'],
  ])('%s', (_promise, disk, after) => {
    expect(set(before, { disk })).toBe(after);
    expect(set(after, { disk })).toBe(after);
  });

  test('a list added to is replaced by the last addition', () => {
    expect(set("vif=['bridge=a']\nvif+=['bridge=b']\n", { vif: ['bridge=c'] })).toBe("vif=['bridge=a']\nvif=['bridge=c']\n");
  });

  test('nested lists are written as lists', () => {
    expect(set('', { vnuma: [['pnode=0', 'size=1'], []] })).toBe("vnuma = [ [ 'pnode=0', 'size=1' ], [ ] ]\n");
  });
});

describe('extraWords', () => {
  test('are written where a word goes from one string to the next, ends of lines in them included', () => {
    const before = String.raw`extra = 'a=1 clock'` + '\n' + String.raw`extra += 'source=x\n b'` + '\n';
    expect(apply(before, { extraWords: ['clocksource=jiffies'] })).toBe(
      String.raw`extra = 'a=1 clock'` + '\n' + String.raw`extra = 'a=1 clocksource=jiffies\n b'` + '\n',
    );
  });

  test.each<[string, string, string[], string]>([
    ['a word is added', "extra = 'quiet'\n", ['clocksource=jiffies'], "extra = 'quiet clocksource=jiffies'\n"],
    ['one of the same name gives way', 'extra="clocksource=tsc quiet"\n', ['clocksource=jiffies'], 'extra="clocksource=jiffies quiet"\n'],
    ['several of the same name become one', "extra='clocksource=a x clocksource=b'\n", ['clocksource=c'], "extra='clocksource=c x'\n"],
    [
      'no part of another word counts',
      "extra='xclocksource=tsc'\n",
      ['clocksource=jiffies'],
      "extra='xclocksource=tsc clocksource=jiffies'\n",
    ],
    ['consoles are added, not replaced', "extra='console=tty0'\n", ['console=hvc0'], "extra='console=tty0 console=hvc0'\n"],
    ['words for init stay last', "extra='ro -- single'\n", ['quiet'], "extra='ro quiet -- single'\n"],
    [
      'blanks within double quotes are no ends of words',
      `extra='a="b clocksource=x" c'\n`,
      ['clocksource=y'],
      `extra='a="b clocksource=x" c clocksource=y'\n`,
    ],
    ['a new key, if there is none', "name='a'\n", ['quiet', 'clocksource=tsc'], "name='a'\nextra='quiet clocksource=tsc'\n"],
    ['an empty text', "extra=''\n", ['quiet'], "extra='quiet'\n"],
    ['a bare number gets quotes', 'extra = 4\n', ['quiet'], "extra = '4 quiet'\n"],
    [
      'cmdline, as xl overlooks extra then',
      "extra='a'\ncmdline='root=/dev/xvda'\n",
      ['quiet'],
      "extra='a'\ncmdline='root=/dev/xvda quiet'\n",
    ],
    ['in the addition where the word is', "extra='a b=1'\nextra+=' c=2'\n", ['b=3', 'c=4'], "extra='a b=3'\nextra+=' c=4'\n"],
    ['a word across two additions', "extra='clock'\nextra+='source=tsc'\n", ['clocksource=x'], "extra='clock'\nextra='clocksource=x'\n"],
    ['a word that root has already', "root='/dev/xvda2 ro'\n", ['ro'], "root='/dev/xvda2 ro'\n"],
    ['a word that extra overrides', "root='/dev/xvda2 a=1'\nextra='a=2'\n", ['a=1'], "root='/dev/xvda2 a=1'\nextra='a=1'\n"],
    ['escapes beside it stay', String.raw`extra="a=\"1\" b=\\2 c=3"` + '\n', ['c=4'], String.raw`extra="a=\"1\" b=\\2 c=4"` + '\n'],
  ])('%s', (_promise, before, extraWords, after) => {
    expect(apply(before, { extraWords })).toBe(after);
    expect(apply(after, { extraWords })).toBe(after);
  });
});

test('words after a double quote that is not closed would be lost: refused', () => {
  expect(refusal(`extra='a="b'\n`, { extraWords: ['quiet'] }).message).toContain('not closed');
});

describe('disk finds an entry by its vdev and changes the target only', () => {
  const spec = (text: string): string => `kernel='/k'\ndisk=['phy:/dev/other,xvdz,w', '${text}']# disks\n`;
  test.each<[string, string, string]>([
    ['file:/srv/a.img,xvda2,w', 'phy:/dev/vg01/a', 'phy:/dev/vg01/a,xvda2,w'],
    ['tap:aio:/srv/a.img,xvda2,r', 'phy:/dev/vg01/a', 'phy:/dev/vg01/a,xvda2,r'],
    ['tap:qcow2:/srv/a.qcow2,xvda2,w', 'phy:/dev/vg01/a', 'phy:/dev/vg01/a,xvda2,w'],
    ['file:/srv/a.img,xvda2,w', '/dev/vg01/a', 'phy:/dev/vg01/a,xvda2,w'],
    ['file:/srv/a.img,ioemu:xvda2,w', 'phy:/dev/vg01/a', 'phy:/dev/vg01/a,ioemu:xvda2,w'],
    ['/srv/a.img,raw,xvda2,rw', 'phy:/dev/vg01/a', '/dev/vg01/a,raw,xvda2,rw'],
    ['/srv/a.img,,xvda2', 'phy:/dev/vg01/a', '/dev/vg01/a,,xvda2'],
    ['/srv/a.qcow2,qcow2,xvda2', 'phy:/dev/vg01/a', '/dev/vg01/a,raw,xvda2'],
    ['/srv/a.img, raw , xvda2', 'phy:/dev/vg01/a', ''],
    ['vdev=xvda2, target=/srv/a.img', 'phy:/dev/vg01/a', 'vdev=xvda2, target=/dev/vg01/a'],
    [
      'vdev=xvda2,format=qcow2,backendtype=qdisk,target=/srv/a.qcow2',
      'phy:/dev/vg01/a',
      'vdev=xvda2,format=raw,backendtype=phy,target=/dev/vg01/a',
    ],
    ['/srv/a.img,vdev=xvda2', 'qcow2:/srv/b.qcow2', '/srv/b.qcow2,format=qcow2,vdev=xvda2'],
    ['vdev=xvda2,target=/srv/a.img', 'qcow2:/srv/b.qcow2', 'vdev=xvda2,format=qcow2,target=/srv/b.qcow2'],
    ['drbd:mirror,xvda2,w', 'phy:/dev/vg01/a', 'phy:/dev/vg01/a,xvda2,w'],
    [',xvda2:cdrom,r', 'file:/srv/cd.iso', 'file:/srv/cd.iso,xvda2:cdrom,r'],
    ['vdev=xvda2,cdrom', 'file:/srv/cd.iso', 'vdev=xvda2,cdrom,target=/srv/cd.iso'],
    ['phy:/dev/vg01/a,xvda2,w', 'phy:/dev/vg01/a', 'phy:/dev/vg01/a,xvda2,w'],
  ])('%s to %s', (before, to, after) => {
    const change: CfgChange = { disk: [{ vdev: 'xvda2', to }] };
    if (after === '') expect(refusal(spec(before), change).message).toContain('xl refuses');
    else {
      expect(apply(spec(before), change)).toBe(spec(after));
      expect(apply(spec(after), change)).toBe(spec(after));
    }
  });

  test('within a list over several lines, all else stays', () => {
    const before = fixture('comments-in-lists');
    expect(apply(before, { disk: [{ vdev: 'xvda1', to: 'phy:/dev/vg02/s' }] })).toBe(before.replace('/dev/vg01/busy-swap', '/dev/vg02/s'));
  });

  test('an unknown vdev is refused with those that there are', () => {
    expect(refusal(fixture('how-to-2009'), { disk: [{ vdev: 'xvda1', to: 'phy:/dev/x' }] }).message).toBe(
      'disk[0].vdev: no disk is xvda1: there are sda1, sda2',
    );
  });

  test.each(['phy:/dev/x,xvdb,w', "phy:/dev/x'", 'phy:/dev/x\n', 'relative', 'phy:', 'drbd:/x', 'foo:/dev/x', '/x=1', '/x ', ''])(
    'to %j is refused',
    (to) => {
      expect(refusal(fixture('how-to-2009'), { disk: [{ vdev: 'sda1', to }] })).toBeInstanceOf(ChangeError);
    },
  );
});

describe('a rate of null is taken out of a vif', () => {
  test.each([
    ['bridge=b,rate=1Mb/s,mac=00:16:3e:00:00:01', 'bridge=b,mac=00:16:3e:00:00:01'],
    ['rate=1Mb/s,bridge=b', 'bridge=b'],
    ['bridge=b, rate=1Mb/s', 'bridge=b'],
    ['rate=1Mb/s', ''],
    ['rate=1Mb/s,rate=2Mb/s,bridge=b', 'bridge=b'],
    ['bridge=b,rate=1Mb/s,ip=10.0.0.1,rate=2Mb/s', 'bridge=b,ip=10.0.0.1'],
    ['bridge=b', 'bridge=b'],
    ['bridge=rate,vifname=rate', 'bridge=rate,vifname=rate'],
  ])('%s becomes %s', (before, after) => {
    const cfg = (vif: string): string => `vif = [ '${vif}' ]\n`;
    const change: CfgChange = { vif: [{ index: 0, rate: null }] };
    expect(apply(cfg(before), change)).toBe(cfg(after));
    expect(apply(cfg(after), change)).toBe(cfg(after));
  });

  test('beside other changes of the same vif', () => {
    const change: CfgChange = { vif: [{ index: 0, bridge: 'c', rate: null, script: 's' }] };
    expect(apply("vif=['rate=1Mb/s,bridge=b,rate=2Mb/s']\n", change)).toBe("vif=['bridge=c,script=s']\n");
  });

  test('no other field can be', () => {
    expect(refusal("vif=['bridge=b']\n", { vif: [{ index: 0, bridge: null }] })).toMatchObject({ field: 'vif[0].bridge' });
  });
});

describe('vif changes fields in their places', () => {
  const vif = (text: string): string => `kernel='/k'\nvif = [ "bridge=first", '${text}' ]\n`;
  test.each<[string, Omit<NonNullable<CfgChange['vif']>[number], 'index'>, string]>([
    ['ip=192.168.77.11 ,mac=00:16:3E:A3:69:9C', { ip: '10.0.0.5' }, 'ip=10.0.0.5 ,mac=00:16:3E:A3:69:9C'],
    ['ip=192.168.77.11 ,mac=00:16:3E:A3:69:9C', { mac: '00:16:3e:a3:69:9c' }, 'ip=192.168.77.11 ,mac=00:16:3E:A3:69:9C'],
    ['ip=192.168.77.11 ,mac=00:16:3E:A3:69:9C', { bridge: 'xenbr0' }, 'ip=192.168.77.11 ,mac=00:16:3E:A3:69:9C,bridge=xenbr0'],
    ['type=ioemu, bridge=a, ip=1.2.3.4 5.6.7.8', { bridge: 'b', ip: '1.2.3.4 5.6.7.9' }, 'type=ioemu, bridge=b, ip=1.2.3.4 5.6.7.9'],
    ['bridge=xenbr0 ', { bridge: 'xenbr0' }, 'bridge=xenbr0'],
    ['', { mac: '00:16:3e:00:00:01', ip: 'fe80::1' }, 'mac=00:16:3e:00:00:01,ip=fe80::1'],
    ['mac=00:16:3e:00:00:01,', { bridge: 'b' }, 'mac=00:16:3e:00:00:01,bridge=b'],
    ['bridge=a,bridge=b', { bridge: 'c' }, 'bridge=a,bridge=c'],
    ['mac = 00:16:3e:00:00:01', { mac: '00:16:3e:00:00:02' }, 'mac = 00:16:3e:00:00:01,mac=00:16:3e:00:00:02'],
    ['brigde=a', { bridge: 'b' }, 'brigde=a,bridge=b'],
  ])('%s with %j', (before, fields, after) => {
    const change: CfgChange = { vif: [{ index: 1, ...fields }] };
    expect(apply(vif(before), change)).toBe(vif(after));
    expect(apply(vif(after), change)).toBe(vif(after));
  });

  test.each([
    [{ index: 2, mac: '00:16:3e:00:00:01' }, 'vif[0].index'],
    [{ index: -1, mac: '00:16:3e:00:00:01' }, 'vif[0].index'],
    [{ mac: '00:16:3e:00:00:01' }, 'vif[0].index'],
    [{ index: 0, mac: '00:16:3e:00:00' }, 'vif[0].mac'],
    [{ index: 0, mac: '00:16:3e:00:00:01,bridge=x' }, 'vif[0].mac'],
    [{ index: 0, bridge: 'x,script=/bin/sh' }, 'vif[0].bridge'],
    [{ index: 0, bridge: "x'" }, 'vif[0].bridge'],
    [{ index: 0, ip: '10.0.0.256' }, 'vif[0].ip'],
    [{ index: 0, ip: '10.0.0.1\n' }, 'vif[0].ip'],
    [{ index: 0, ip: ['10.0.0.1'] }, 'vif[0].ip'],
    [{ index: 0, brigde: 'x' }, 'vif[0].brigde'],
  ])('%j is refused, naming %s', (entry, field) => {
    expect(refusal(vif('bridge=b'), { vif: [entry] })).toMatchObject({ field });
  });
});

describe('a change is refused where it is none, or xl would not take what it brings', () => {
  const before = fixture('how-to-2009');
  test.each<[unknown, string]>([
    [{ sets: {} }, 'sets'],
    [[], ''],
    [{ set: [] }, 'set'],
    [{ set: { Memory: 1 } }, 'set.Memory'],
    [{ set: { 'a b': 1 } }, 'set.a b'],
    [{ set: { 'name=1;x': 1 } }, 'set.name=1;x'],
    [{ set: { memory: 1.5 } }, 'set.memory'],
    [{ set: { memory: 1e21 } }, 'set.memory'],
    [{ set: { memory: 2 ** 40 } }, 'set.memory'],
    [{ set: { memory: -1 } }, 'set.memory'],
    [{ set: { memory: 0 } }, 'set.memory'],
    [{ set: { memory: '-1' } }, 'set.memory'],
    [{ set: { memory: '0x0' } }, 'set.memory'],
    [{ set: { vcpus: ' 0' } }, 'set.vcpus'],
    [{ set: { memory: '99999999999' } }, 'set.memory'],
    [{ set: { memory: '512Mb' } }, 'set.memory'],
    [{ set: { memory: '0512' } }, 'set.memory'],
    [{ set: { memory: [512] } }, 'set.memory'],
    [{ set: { memory: {} } }, 'set.memory'],
    [{ set: { vcpus: 'two' } }, 'set.vcpus'],
    [{ set: { vcpu: 2 } }, 'set.vcpu'],
    [{ set: { maxvcpus: 1 } }, 'set.maxvcpus'],
    [{ set: { on_crash: 'explode' } }, 'set.on_crash'],
    [{ set: { name: ['a'] } }, 'set.name'],
    [{ set: { name: true } }, 'set.name'],
    [{ set: { name: 'a\nmemory=1' } }, 'set.name'],
    [{ set: { name: 'a\0' } }, 'set.name'],
    [{ set: { name: '\ud800' } }, 'set.name'],
    [{ set: { disk: 'phy:/dev/a,xvda,w' } }, 'set.disk'],
    [{ set: { disk: ['phy:/dev/a'] } }, 'set.disk'],
    [{ set: { vif: ['brigde=x'] } }, 'set.vif'],
    [{ set: { vif: ['mac=zz'] } }, 'set.vif'],
    [{ extraWords: ['a b'] }, 'extraWords[0]'],
    [{ extraWords: ["a='"] }, 'extraWords[0]'],
    [{ extraWords: ['=x'] }, 'extraWords[0]'],
    [{ extraWords: ['a=1', 'a=2'] }, 'extraWords'],
    [{ extraWords: 'a' }, 'extraWords'],
    [{ disk: [{ vdev: 'sda1' }] }, 'disk[0].to'],
    [{ disk: [{ vdev: 'sda1', to: '/x', mode: 'r' }] }, 'disk[0].mode'],
  ])('%j names %j', (change, field) => {
    expect(refusal(before, change)).toMatchObject({ field });
  });

  test('a change with a key that reaches into prototypes', () => {
    expect(() => checkChange(JSON.parse('{"set": {"__proto__": 1}}'))).toThrow('set.__proto__');
    expect(() => checkChange(JSON.parse('{"__proto__": {"set": {}}}'))).toThrow('__proto__');
  });

  test('a file that xl would still refuse is refused at the place, unless the change mends it', () => {
    const broken = "name='a'\nkernel='/k'\nvcpus=4\nmaxvcpus = 2\n";
    expect(refusal(broken, { set: { memory: 5 } })).toMatchObject({ line: 3, column: 7 });
    expect(set(broken, { maxvcpus: 4 })).toBe(broken.replace('= 2', '= 4'));
  });

  test('what the file had before, and xl only drops, stays as it is', () => {
    expect(set(fixture('misread'), { name: 'guest1' })).toBe(fixture('misread').replace('4711', 'guest1'));
  });

  test('memory above maxmem is refused with both numbers, whichever of them the change brings; both together are done', () => {
    const file = "name='a'\nkernel='/k'\nmemory=512\nmaxmem=512\n";
    expect(refusal(file, { set: { memory: 1024 } })).toMatchObject({
      field: 'set.memory',
      message: expect.stringContaining('memory 1024 is above maxmem 512') as string,
    });
    expect(refusal(file, { set: { maxmem: 256 } })).toMatchObject({
      field: 'set.maxmem',
      message: expect.stringContaining('memory 512 is above maxmem 256') as string,
    });
    expect(refusal(file, { set: { memory: 1024, vcpus: 2 } })).toBeInstanceOf(ChangeError);
    expect(set(file, { memory: 1024, maxmem: 1024 })).toBe(file.replaceAll('512', '1024'));
    expect(set(file, { memory: 1024, maxmem: null })).toBe("name='a'\nkernel='/k'\nmemory=1024\n");
    expect(set(file, { memory: 512 })).toBe(file);
    // 0 is xl's word for "not said".
    expect(set(file.replace('maxmem=512', 'maxmem=0'), { memory: 1024 })).toContain('memory=1024');
  });

  test('a file that has memory above maxmem already may be changed elsewhere, and be mended', () => {
    const broken = "name='a'\nkernel='/k'\nmemory=1024\nmaxmem=512\n";
    expect(set(broken, { vcpus: 2 })).toBe(`${broken}vcpus=2\n`);
    expect(set(broken, { maxmem: 1024 })).toBe(broken.replace('512', '1024'));
    expect(refusal(broken, { set: { memory: 2048 } })).toMatchObject({ field: 'set.memory' });
  });
});

describe('CRLF', () => {
  test('becomes LF throughout, as xl would refuse the file, and is said', () => {
    const { bytes, changed, notes } = applyChange(parseCfg(bytesOf(fixture('crlf'))), { set: { memory: 1024 } });
    expect(byteString(bytes)).toBe(fixture('crlf').replaceAll('\r\n', '\n').replace('512', '1024'));
    expect(changed).toEqual(['line ends', 'memory']);
    expect(notes).toEqual([expect.stringContaining('CRLF')]);
  });

  test('in comments only stays, as xl accepts it', () => {
    expect(set(fixture('crlf-in-comments'), { memory: 1024 })).toBe(fixture('crlf-in-comments').replace('512', '1024'));
  });
});

test('nothing to change gives the same bytes', () => {
  const before = fixture('xen-tools-4.9');
  const change = checkChange({
    set: { memory: 512, name: 'guest1' },
    extraWords: ['elevator=noop'],
    disk: [{ vdev: 'xvda1', to: 'file:/home/xen/domains/guest1/swap.img' }],
    vif: [{ index: 0, mac: '00:16:3e:a3:69:9c' }],
  });
  const { bytes, changed } = applyChange(parseCfg(bytesOf(before)), change);
  expect(byteString(bytes)).toBe(before);
  expect(changed).toEqual([]);
});
