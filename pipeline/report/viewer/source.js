// Draws one splat that turns until it is touched. Built into viewer.js by `npm ci && npm run build` in this folder.
import { SparkRenderer, SplatMesh } from "@sparkjsdev/spark";
import { PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const FOV_DEG = 40;
const DISTANCE = 1.6; // the object fits a sphere of radius 0.5
const TURN = Math.PI / 18; // by one press of an arrow key
const NEARER = 0.9; // the distance changes by this factor

const KEYS = {
  ArrowLeft: (controls) => controls.rotateLeft(-TURN),
  ArrowRight: (controls) => controls.rotateLeft(TURN),
  ArrowUp: (controls) => controls.rotateUp(-TURN),
  ArrowDown: (controls) => controls.rotateUp(TURN),
  "+": (controls) => controls.dollyIn(NEARER),
  "-": (controls) => controls.dollyOut(NEARER),
};

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} bytes a splat file (SPZ or PLY), z up
 * @param {{antialiased: boolean, eps2d: number}} fitted the rasterizer that it was fitted for
 * @returns {Promise<void>} when the first frame is drawn
 */
globalThis.showSplat = async (canvas, bytes, fitted) => {
  const renderer = new WebGLRenderer({ canvas, antialias: false, alpha: true });
  renderer.setClearAlpha(0);
  const scene = new Scene();
  const blur = fitted.antialiased ? { blurAmount: fitted.eps2d } : { preBlurAmount: fitted.eps2d, blurAmount: 0 };
  scene.add(new SparkRenderer({ renderer, sortRadial: false, maxStdDev: 3, ...blur }));
  const mesh = new SplatMesh({ fileBytes: bytes });
  scene.add(mesh);

  const camera = new PerspectiveCamera(FOV_DEG, 1, 0.01, 100);
  camera.up.set(0, 0, 1);
  camera.position.set(0.62, -0.62, 0.48).setLength(DISTANCE);
  const controls = new OrbitControls(camera, canvas);
  controls.enableDamping = true;
  controls.autoRotate = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  controls.autoRotateSpeed = 1.5;
  controls.minDistance = 0.3;
  controls.maxDistance = 6;
  canvas.addEventListener("pointerdown", () => { controls.autoRotate = false; });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key !== " " && !(event.key in KEYS))) return;
    event.preventDefault();
    event.stopPropagation(); // the same keys lead from object to object elsewhere on the page
    controls.autoRotate = event.key === " " && !controls.autoRotate;
    KEYS[event.key]?.(controls);
  });

  function fit() {
    const { clientWidth: width, clientHeight: height } = canvas;
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    renderer.setSize(width, height, false);
    camera.aspect = width / height;
    camera.updateProjectionMatrix();
  }
  new ResizeObserver(fit).observe(canvas);
  fit();

  await mesh.initialized;
  await new Promise((drawn) => {
    let frames = 0;
    renderer.setAnimationLoop(() => {
      controls.update();
      renderer.render(scene, camera);
      frames += 1;
      if (frames === 3) drawn(); // the first frames only sort
    });
  });
};
