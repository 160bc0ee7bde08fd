/**
 * The image of a container: present, pulled, or never there (kubernetes-facts.md 23).
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { PodHands } from './hands.ts';
import { imageOutcome } from './images.ts';
import type { ContainerRecord } from './status.ts';

interface Puller {
  /** Until the image is on the node; for ever if it cannot be. */
  readonly image: (one: ContainerRecord) => Promise<void>;
  /** Shows why a container cannot start, and waits for the next try. */
  readonly wait: (one: ContainerRecord, reason: string, message: string, event: string) => Promise<void>;
}

export function createPuller({ context, note, pause, report, setMaking }: PodHands): Puller {
  const { pace } = context;

  async function image(one: ContainerRecord): Promise<void> {
    const { spec } = one;
    const name = spec.image ?? '';
    for (;;) {
      const outcome = context.images(name, spec.imagePullPolicy) ?? imageOutcome(name, spec.imagePullPolicy);
      switch (outcome.type) {
        case 'present':
          note(spec, 'Normal', 'Pulled', presentText(spec));
          return;
        case 'pulled':
          note(spec, 'Normal', 'Pulling', `Pulling image "${name}"`);
          await pause(pace.delay('pull'));
          note(
            spec,
            'Normal',
            'Pulled',
            `Successfully pulled image "${name}" in 800ms (800ms including waiting). Image size: 2212531 bytes.`,
          );
          return;
        case 'waiting': {
          const event = outcome.reason === 'InvalidImageName' ? 'InspectFailed' : outcome.reason;
          note(spec, 'Warning', event, outcome.message);
          await wait(one, outcome.reason, outcome.message, `Error: ${outcome.reason}`);
          break;
        }
        case 'unpullable':
          await pullFails(one, outcome.message);
      }
    }
  }

  async function pullFails(one: ContainerRecord, why: string): Promise<void> {
    const { spec } = one;
    note(spec, 'Normal', 'Pulling', `Pulling image "${spec.image}"`);
    await pause(pace.delay('pullFailure'));
    note(spec, 'Warning', 'Failed', `Failed to pull image "${spec.image}": ${why}`);
    note(spec, 'Warning', 'Failed', 'Error: ErrImagePull');
    setMaking(false);
    await pause(pace.delay('firstRetry'));
    one.state = { waiting: { reason: 'ErrImagePull', message: why } };
    report();
    const backOff = `Back-off pulling image "${spec.image}"`;
    note(spec, 'Normal', 'BackOff', backOff);
    note(spec, 'Warning', 'Failed', 'Error: ImagePullBackOff');
    await pause(pace.delay('retry'));
    one.state = { waiting: { reason: 'ImagePullBackOff', message: `${backOff}: ErrImagePull: ${why}` } };
    report();
    setMaking(true);
  }

  async function wait(one: ContainerRecord, reason: string, message: string, event: string): Promise<void> {
    note(one.spec, 'Warning', 'Failed', event);
    setMaking(false);
    const before = one.state.waiting?.reason;
    if (before !== reason) await pause(pace.delay('firstRetry'));
    one.state = { waiting: { reason, message } };
    report();
    await pause(pace.delay('retry'));
    setMaking(true);
  }

  return { image, wait };
}

export function presentText({ image }: Container): string {
  return `Container image "${image}" already present on machine and can be accessed by the pod`;
}
